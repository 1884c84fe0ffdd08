// The embedded API reference: everything of it that would ask another host is switched off.
const place = document.getElementById("reference");
window.Scalar.createApiReference(place, {
  url: place.dataset.document,
  telemetry: false,
  withDefaultFonts: false,
  proxyUrl: "",
  hideClientButton: true,
  hideTestRequestButton: true,
  showDeveloperTools: "never",
  agent: { disabled: true },
  mcp: { disabled: true },
  externalUrls: { dashboardUrl: "", registryUrl: "", proxyUrl: "", apiBaseUrl: "" },
});

// What the reference leaves unsaid to who hears it, said as it draws itself.
const SAID = [
  [".code-copy:not([aria-label]), .group\\/copy-button:not([aria-label])", (it) => (it.ariaLabel = place.dataset.copy)],
  [".cm-content:not([aria-label])", (it) => (it.ariaLabel = place.dataset.example)],
  ["button[role=search]", (it) => it.removeAttribute("role")],
  [".sidebar-search-placeholder[aria-hidden]", (it) => it.removeAttribute("aria-hidden")],
  [".client-libraries-list[role], .client-libraries-list [role=tab]", (it) => it.removeAttribute("role")],
  [".client-libraries-list[aria-orientation]", (it) => it.removeAttribute("aria-orientation")],
  ["[aria-selected]:not([role])", (it) => it.removeAttribute("aria-selected")],
];
let waits = false;
const say = () => {
  waits = false;
  for (const [where, how] of SAID) for (const it of document.querySelectorAll(where)) how(it);
};
new MutationObserver(() => {
  if (!waits) requestAnimationFrame(say);
  waits = true;
}).observe(document.body, { childList: true, subtree: true, attributeFilter: ["aria-selected", "role"] });
