// A purchase's page: signs, follows, and at the end makes the access token.
import { base64, base64url, fromHex } from "./bytes.js";
import { checked, freeText } from "./checking.js";
import { countDown } from "./counting-down.js";
import { accessToken } from "./deriving.js";
import { follow } from "./following.js";
import { connected, messageSignature, Refusal, signature } from "./freighter.js";
import { forget, kept } from "./keys.js";
import { acting, say } from "./saying.js";
import { held, signedWith } from "./test-wallet.js";

const page = JSON.parse(document.getElementById("purchase-page").textContent);
const ways = document.getElementById("ways");
const LEAVES_MS = 2500; // Long enough to read that it happens, and to say no.

async function send(signer, signed) {
  const answer = await fetch(page.authorization, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ signer, signature: signed }),
  });
  if (!answer.ok) throw Object.assign(new Error("refused"), { detail: (await answer.json()).detail });
}

const WAYS = {
  async page() {
    const wallet = held();
    await send(wallet.address, base64(await signedWith(wallet, await checked(page))));
  },
  async freighter() {
    const hash = await checked(page);
    const asked = { script: ways.dataset.freighter, passphrase: page.passphrase };
    if ((await connected(asked)) !== page.buyer) throw new Refusal("other-account");
    const address = page.buyer;
    const preimage = page.instruction.preimage_xdr;
    const signed = preimage
      ? await signature({ ...asked, address, preimage })
      : await messageSignature({ ...asked, address, message: freeText(hash) });
    await send(address, signed);
  },
};

function offerSigning() {
  const isOurs = held()?.address === page.buyer;
  document.getElementById("page-way").hidden = !isOurs;
  for (const button of ways.querySelectorAll("[data-way]")) {
    button.addEventListener("click", () => acting(button, WAYS[button.dataset.way]));
    button.disabled = false; // It could not do anything before.
  }
  const way = sessionStorage.getItem("apicharge.way");
  sessionStorage.removeItem("apicharge.way");
  if (way === "page" && !isOurs) return;
  ways.querySelector(`[data-way="${way}"]`)?.click();
}

const shownBefore = `apicharge.shown.${page.id}`;

async function showToken() {
  const key = kept(fromHex(page.access_key));
  const accessKey = base64url(key.seed);
  const token = await tokenOf(key);
  document.getElementById("access-token").textContent = token;
  const inConsole = document.getElementById("in-console");
  if (inConsole) inConsole.hash = `token=${token}`; // It never leaves the browser.
  const lines = {
    APICHARGE_URL: page.address,
    APICHARGE_TOKEN: token,
    APICHARGE_GRANT: page.grant,
    APICHARGE_ACCESS_KEY: accessKey,
  };
  const text = Object.entries(lines).map(([name, value]) => `${name}=${value}\n`);
  document.getElementById("env").href = URL.createObjectURL(new Blob(text));
  localStorage.setItem(shownBefore, "1");
  only("with-key");
}

function only(shown) {
  for (const id of ["leaving", "with-key", "shown-before", "without-key"]) {
    const part = document.getElementById(id);
    if (part !== null) part.hidden = id !== shown;
  }
}

// The form that leads back has its token filled in as it is sent.
function offerWayBack(key) {
  const form = document.getElementById("hand-over");
  if (form === null) return;
  document.getElementById("token-field").hidden = true;
  form.elements.token.required = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    form.elements.token.value = await tokenOf(key);
    form.submit();
  });
}

// Whoever waited here for the grant is led back without a click, once; who returns here stays.
const waited = `apicharge.waited.${page.id}`;

function ended() {
  sessionStorage.setItem(waited, "1");
  location.reload();
}

function isLedBack() {
  const form = document.getElementById("hand-over");
  if (form === null || sessionStorage.getItem(waited) === null) return false;
  sessionStorage.removeItem(waited);
  const leave = setTimeout(() => form.requestSubmit(), LEAVES_MS);
  document.getElementById("stay").addEventListener("click", () => {
    clearTimeout(leave);
    showToken();
  });
  return true;
}

const tokenOf = (key) =>
  accessToken({
    grant: page.grant,
    accessKey: base64url(key.seed),
    expiresAt: page.grant_expires_at,
  });

async function offerToken() {
  const key = kept(fromHex(page.access_key));
  if (key === null) return;
  offerWayBack(key);
  if (isLedBack()) {
    only("leaving");
    return;
  }
  if (localStorage.getItem(shownBefore) === null) {
    await showToken();
    return;
  }
  only("shown-before");
  const another = document.getElementById("another");
  another.addEventListener("click", () => acting(another, showToken));
  document.getElementById("forget").addEventListener("click", () => {
    forget(fromHex(page.access_key));
    only("without-key");
  });
}

if (ways !== null) offerSigning();
if (page.grant !== null) offerToken().catch(() => say("no-ed25519"));
if (page.socket && page.state !== "granted") follow(page, ended);
countDown(document.getElementById("countdown"), {
  now: page.now,
  expires_at: page.quote.expires_at,
});
