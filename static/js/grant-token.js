// The grant's page: makes access tokens where this browser keeps the grant's key.
import { fromHex, base64url } from "./bytes.js";
import { accessToken } from "./deriving.js";
import { kept } from "./keys.js";

const place = document.querySelector("[data-derive]");
const { grant, key, ends } = place?.dataset ?? {};
const held = place ? kept(fromHex(key)) : null;

async function make(form) {
  const asked = new FormData(form);
  const expiresAt = Math.min(Math.floor(Date.now() / 1000) + Number(asked.get("seconds")), Number(ends));
  return accessToken({
    grant,
    accessKey: base64url(held.seed),
    expiresAt,
    path: asked.get("path") || undefined,
    methods: asked.get("read") ? ["GET", "HEAD"] : undefined,
    name: asked.get("name") || undefined,
  });
}

if (held !== null) {
  place.hidden = false;
  document.getElementById("derive-elsewhere").hidden = true;
  const form = place.querySelector("form");
  const made = document.getElementById("derived");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    made.querySelector("code").textContent = await make(form);
    made.hidden = false;
    made.focus();
  });
}
