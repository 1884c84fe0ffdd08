// Filters that somebody opened stay open when what was found is put in place.
let isOpen = false;
const filters = () => document.querySelector("details.filters");

document.addEventListener("htmx:beforeSwap", () => {
  isOpen = filters()?.open ?? false;
});
document.addEventListener("htmx:load", () => {
  if (isOpen && filters()) filters().open = true;
});
