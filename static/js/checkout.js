// The checkout: counts the quote down, and fills in who buys and with which access key.
import { base64url } from "./bytes.js";
import { countDown } from "./counting-down.js";
import { connected } from "./freighter.js";
import { keep, newKey } from "./keys.js";
import { acting } from "./saying.js";
import { opened } from "./test-wallet.js";

const page = JSON.parse(document.getElementById("checkout-page").textContent);
const form = document.getElementById("checkout");

// The way that was chosen goes on by itself on the next page.
const chosen = (way) => sessionStorage.setItem("apicharge.way", way);

async function buyAs(buyer, way) {
  const key = await newKey();
  keep(key);
  form.elements.access_key.value = base64url(key.publicKey);
  form.elements.buyer.value = buyer;
  chosen(way);
  form.submit();
}

async function filled(account) {
  const body = new FormData();
  body.set("account", account);
  body.set("asset", page.asset);
  body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  const answer = await fetch(form.dataset.friendbot, { method: "POST", body });
  if (!answer.ok) throw new Error("no-funds");
}

const WAYS = {
  async page() {
    const wallet = await opened();
    if (page.sandbox && page.asset && !wallet.filled?.includes(page.asset)) {
      await filled(wallet.address);
      wallet.filled = [...(wallet.filled ?? []), page.asset];
      sessionStorage.setItem("apicharge.test-wallet", JSON.stringify(wallet));
    }
    await buyAs(wallet.address, "page");
  },
  async freighter() {
    const script = form.dataset.freighter;
    await buyAs(await connected({ script, passphrase: page.passphrase }), "freighter");
  },
};

for (const button of form.querySelectorAll("[data-way]")) {
  button.addEventListener("click", () => acting(button, WAYS[button.dataset.way]));
  button.disabled = false; // It could not do anything before.
}

// An account that is typed in: an access key is made here as well, where that is possible.
let isReady = false;
form.addEventListener("submit", async (event) => {
  if (isReady) return;
  event.preventDefault();
  isReady = true;
  try {
    const key = await newKey();
    keep(key);
    form.elements.access_key.value = base64url(key.publicKey);
  } catch {
    form.elements.access_key.value = ""; // The account's own key uses the grant then.
  }
  form.submit();
});
for (const note of form.querySelectorAll("[data-insecure]")) note.hidden = window.isSecureContext;
countDown(document.getElementById("countdown"), page);
