// Ed25519 keys of this browser: WebCrypto's own, so nothing secret is computed in script.
import { base64url, fromBase64, hex, joined } from "./bytes.js";

const PKCS8 = Uint8Array.of(48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32);
const ED25519 = "Ed25519";

export class NoEd25519 extends Error {}

// {seed, publicKey}, 32 bytes each.
export async function newKey() {
  try {
    const pair = await crypto.subtle.generateKey(ED25519, true, ["sign", "verify"]);
    const exported = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
    const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
    return { seed: exported.slice(-32), publicKey };
  } catch (cause) {
    throw new NoEd25519("no Ed25519 here", { cause });
  }
}

export async function sign(seed, message) {
  const whole = joined(PKCS8, seed);
  const key = await crypto.subtle.importKey("pkcs8", whole, ED25519, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign(ED25519, key, message));
}

export async function verifies(publicKey, message, signature) {
  const key = await crypto.subtle.importKey("raw", publicKey, ED25519, false, ["verify"]);
  return crypto.subtle.verify(ED25519, key, signature, message);
}

// Access keys stay in this browser, under their public half, until they are forgotten.
const shelf = (publicKey) => `apicharge.key.${hex(publicKey)}`;

export function keep({ seed, publicKey }) {
  localStorage.setItem(shelf(publicKey), base64url(seed));
}

export function kept(publicKey) {
  const seed = localStorage.getItem(shelf(publicKey));
  return seed === null ? null : { seed: fromBase64(seed), publicKey };
}

export function forget(publicKey) {
  localStorage.removeItem(shelf(publicKey));
}
