// Adds a copy button to each block of code. Everything else on the site works without scripts.
function addButtons(root) {
  for (const block of root.querySelectorAll("pre[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    if (navigator.clipboard) block.after(button);
  }
}

addButtons(document);
document.addEventListener("drawn", (event) => addButtons(event.target));
