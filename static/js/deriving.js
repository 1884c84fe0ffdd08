// Access tokens from a grant and its access key, without a wallet and without asking anybody.
// For browsers and for Node.js 20 and later; it needs nothing but this file.
//
//   const token = await accessToken({ grant, accessKey, seconds: 60, path: "/v1", methods: ["GET"] });
//   await fetch(address, { headers: { apicharge: token } });

const PKCS8 = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];
const bytesOf = (text) => new TextEncoder().encode(text);
const encode = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
const decode = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));

// `grant` is the granted access token, `accessKey` the 32 secret bytes of its key in base64url.
// The token lives for `seconds`, or until `expiresAt`; `path` and `methods` narrow it. By its `name`
// it is told from others, and can be revoked alone.
export async function accessToken({ grant, accessKey, seconds = 60, expiresAt, path, methods, name }) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytesOf(grant)));
  const claims = {
    exp: expiresAt ?? Math.floor(Date.now() / 1000) + seconds,
    grant: Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join(""),
    jti: name,
    methods,
    path,
  };
  const parts = [{ alg: "EdDSA", typ: "apicharge-access+jwt" }, claims];
  const signed = parts.map((part) => encode(bytesOf(JSON.stringify(part)))).join(".");
  const secret = Uint8Array.from([...PKCS8, ...decode(accessKey)]);
  const key = await crypto.subtle.importKey("pkcs8", secret, "Ed25519", false, ["sign"]);
  const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", key, bytesOf(signed)));
  return `${grant}~${signed}.${encode(signature)}`;
}
