// Says on the page what went wrong with a passkey; allauth's script would tell the console alone.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  for (const place of document.querySelectorAll("[data-passkey-error]")) place.hidden = false;
});
