// A field with search (select2) calls what it shows a text field, and gives it no name. It is neither.
addEventListener("load", () => {
  for (const shown of document.querySelectorAll(".select2-selection__rendered[role]")) {
    shown.removeAttribute("role");
    shown.removeAttribute("aria-readonly");
  }
});
