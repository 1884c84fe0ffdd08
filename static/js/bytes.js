// Bytes as text and back: hex, base64 (both alphabets), Stellar addresses.
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ACCOUNT = 6 << 3;
const CONTRACT = 2 << 3;

export const utf8 = (text) => new TextEncoder().encode(text);
export const sha256 = async (bytes) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

export function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const hex = (bytes) =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
export const fromHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (two) => parseInt(two, 16));

export const base64 = (bytes) => btoa(String.fromCharCode(...bytes));
export const base64url = (bytes) =>
  base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
export const fromBase64 = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

export function equal(one, other) {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

// G… or C… with its kind; throws for anything else.
export function fromAddress(text) {
  let bits = 0;
  let held = 0;
  const bytes = [];
  for (const letter of text) {
    const value = BASE32.indexOf(letter);
    if (value < 0) throw new Error(`${text} is not an address`);
    held = ((held << 5) | value) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >> bits) & 0xff);
    }
  }
  const whole = Uint8Array.from(bytes);
  const [kind, key] = [whole[0], whole.slice(1, 33)];
  if (toAddress(kind, key) !== text) throw new Error(`${text} is not an address`);
  return { isContract: kind === CONTRACT, key };
}

export const accountOf = (key) => toAddress(ACCOUNT, key);

function toAddress(kind, key) {
  const payload = joined(Uint8Array.of(kind), key);
  const check = crc16(payload);
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of joined(payload, Uint8Array.of(check & 0xff, check >> 8))) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32[(held >> bits) & 31];
    }
  }
  return text;
}

function crc16(bytes) {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1;
  }
  return crc & 0xffff;
}
