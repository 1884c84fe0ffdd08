// A field with search (select2) calls what it shows a text field, and gives it no name. It is neither.
new MutationObserver(() => {
  for (const shown of document.querySelectorAll(".select2-selection__rendered[role]")) {
    shown.removeAttribute("role");
    shown.removeAttribute("aria-readonly");
  }
}).observe(document, { childList: true, subtree: true, attributeFilter: ["role"] });
