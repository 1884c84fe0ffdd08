// Freighter, the browser extension. Its API is vendored and is loaded when somebody chooses it.
import { base64, fromBase64 } from "./bytes.js";

export class Refusal extends Error {} // `message` names what the page says of it.

const REJECTED = -4;

export async function connected({ script, passphrase }) {
  const api = await freighter(script);
  const { isConnected } = await api.isConnected();
  if (!isConnected) throw new Refusal("no-wallet");
  const { address, error } = await api.requestAccess();
  if (error || !address) throw new Refusal("rejected");
  const network = await api.getNetworkDetails();
  if (network.networkPassphrase !== passphrase) throw new Refusal("wrong-network");
  return address;
}

// The signature over the authorization's preimage, as SEP-43 has it.
export async function signature({ script, passphrase, address, preimage }) {
  const api = await freighter(script);
  const answer = await api.signAuthEntry(preimage, { networkPassphrase: passphrase, address });
  return taken(answer, answer.signedAuthEntry, address);
}

// The signature over a text, as SEP-53 has it.
export async function messageSignature({ script, passphrase, address, message }) {
  const api = await freighter(script);
  const answer = await api.signMessage(message, { networkPassphrase: passphrase, address });
  return taken(answer, answer.signedMessage, address);
}

function taken(answer, signed, address) {
  if (answer.error?.code === REJECTED) throw new Refusal("rejected");
  if (answer.error || !signed) throw new Refusal("wallet-failed");
  if (answer.signerAddress && answer.signerAddress !== address) throw new Refusal("other-account");
  return base64(asBytes(signed));
}

// A base64 string since 4.2 of the API, bytes before.
const asBytes = (signed) =>
  typeof signed === "string" ? fromBase64(signed) : Uint8Array.from(signed.data ?? signed);

async function freighter(script) {
  if (window.freighterApi) return window.freighterApi;
  await new Promise((resolve, reject) => {
    const element = document.createElement("script");
    Object.assign(element, { src: script, onload: resolve, onerror: reject });
    document.head.append(element);
  });
  return window.freighterApi;
}
