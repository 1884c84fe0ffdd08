// The sandbox's wallet: a key made in this page, kept until the tab is closed, filled by friendbot.
import { accountOf, base64url, fromBase64 } from "./bytes.js";
import { newKey, sign } from "./keys.js";

const SHELF = "apicharge.test-wallet";

export async function opened() {
  const kept = sessionStorage.getItem(SHELF);
  if (kept !== null) return JSON.parse(kept);
  const { seed, publicKey } = await newKey();
  const wallet = { seed: base64url(seed), address: accountOf(publicKey) };
  sessionStorage.setItem(SHELF, JSON.stringify(wallet));
  return wallet;
}

export function held() {
  return JSON.parse(sessionStorage.getItem(SHELF) ?? "null");
}

export const signedWith = (wallet, hash) => sign(fromBase64(wallet.seed), hash);
