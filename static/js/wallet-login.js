// Logs in with a wallet of this browser: fetches the text, has it signed, and sends the form.
import { base64, joined, sha256, utf8 } from "./bytes.js";
import { connected, messageSignature, Refusal } from "./freighter.js";
import { acting } from "./saying.js";
import { opened, signedWith } from "./test-wallet.js";

const page = JSON.parse(document.getElementById("wallet-page").textContent);
const ways = document.getElementById("wallet-ways");
const form = document.getElementById("wallet-login");

async function textFor(address) {
  const answer = await fetch(`${ways.dataset.text}?account=${address}`);
  if (!answer.ok) throw new Refusal("no-answer");
  return (await answer.json()).message;
}

function send(message, signature) {
  const given = { message, signature };
  for (const [name, value] of Object.entries(given)) {
    form.elements[name]?.remove();
    const field = Object.assign(document.createElement("input"), { type: "hidden", name, value });
    form.append(field);
  }
  HTMLFormElement.prototype.submit.call(form);
}

const WAYS = {
  async freighter() {
    const script = ways.dataset.freighter;
    const address = await connected({ script, passphrase: page.passphrase });
    const message = await textFor(address);
    send(message, await messageSignature({ script, address, message, passphrase: page.passphrase }));
  },
  async page() {
    const wallet = await opened();
    const message = await textFor(wallet.address);
    const hash = await sha256(joined(utf8("Stellar Signed Message:\n"), utf8(message)));
    send(message, base64(await signedWith(wallet, hash)));
  },
};

for (const button of ways.querySelectorAll("[data-way]")) {
  button.addEventListener("click", () => acting(button, WAYS[button.dataset.way]));
  button.disabled = false; // It could not do anything before.
}
