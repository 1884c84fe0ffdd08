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
