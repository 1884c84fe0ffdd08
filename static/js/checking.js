// What a page compares before anything is signed. The authorization is built anew from what was
// agreed, with nothing of the gateway's but nonce and expiry, and compared byte by byte: payee,
// amount, asset, contract, network, buyer, access key and the quote's signature at once.
import { equal, fromAddress, fromBase64, fromHex, hex, joined, sha256, utf8 } from "./bytes.js";
import { verifies } from "./keys.js";

const LEDGERS_AHEAD_MAX = 200;
const AUTHORIZATION = 9; // ENVELOPE_TYPE_SOROBAN_AUTHORIZATION
const [U64, I128, BYTES, SYMBOL, MAP, ADDRESS] = [5, 10, 13, 15, 17, 18]; // SCValType

export class NotAgreed extends Error {}

// The 32 bytes to sign. Throws `NotAgreed` for anything that the person was not shown.
export async function checked(purchase) {
  const { quote, instruction } = purchase;
  const toSign = fromHex(instruction.authorization_to_sign);
  const digest = await digestOf(purchase);
  agree(hex(digest) === quote.digest, "the quote's digest is not that of its content");
  agree(hex(await sha256(utf8(terms(quote)))) === quote.terms, "the terms are not what is sold");
  const signer = fromHex(purchase.signer);
  agree(await verifies(signer, digest, fromHex(quote.signature)), "the quote is not signed");
  const signed =
    quote.price.amount === "0" ? freePurchase(purchase) : authorization(purchase, instruction);
  agree(equal(await sha256(await signed), toSign), "the hash to sign is another's");
  return toSign;
}

async function authorization(purchase, instruction) {
  const given = fromBase64(instruction.preimage_xdr);
  const view = new DataView(given.buffer);
  const ahead = view.getUint32(44) - instruction.latest_ledger;
  agree(ahead > 0 && ahead <= LEDGERS_AHEAD_MAX, `it is valid for ${ahead} ledgers`);
  const agreed = joined(
    u32(AUTHORIZATION),
    await sha256(utf8(purchase.passphrase)),
    given.slice(36, 48), // nonce and expiry
    invocation(purchase),
  );
  agree(equal(given, agreed), "the authorization is not what was agreed, byte by byte");
  return given;
}

const freePurchase = ({ id, access_key, quote }) =>
  joined(utf8("apicharge-free-v1\0"), fromHex(id), fromHex(quote.digest), fromHex(access_key));

// What a wallet signs that signs texts alone (SEP-53).
export const freeText = (hash) =>
  `Free access: nothing is paid.\napicharge-free-v1 ${hex(hash)}`;

function agree(so, reason) {
  if (!so) throw new NotAgreed(reason);
}

async function digestOf({ contract, passphrase, quote }) {
  const envelope = struct({
    contract: address(contract),
    domain: joined(u32(SYMBOL), opaque(utf8("apicharge_quote_v1"))),
    network: bytes(await sha256(utf8(passphrase))),
    quote: quoteValue(quote),
  });
  return sha256(envelope);
}

function invocation({ buyer, contract, signer, id, access_key, quote }) {
  const call = [
    address(buyer),
    quoteValue(quote),
    bytes(fromHex(signer)),
    bytes(fromHex(quote.signature)),
    bytes(fromHex(id)),
    bytes(fromHex(access_key)),
  ];
  const fee = BigInt(quote.fee);
  const paid = [[quote.payee, BigInt(quote.price.amount) - fee]];
  if (fee > 0n) paid.push([quote.treasury, fee]);
  const transfers = paid.map(([to, amount]) =>
    node(quote.price.sac, "transfer", [address(buyer), address(to), i128(amount)], []),
  );
  return node(contract, "purchase", call, transfers);
}

const quoteValue = (quote) =>
  struct({
    access_seconds: u64(quote.access_seconds),
    amount: i128(BigInt(quote.price.amount)),
    asset: address(quote.price.sac),
    expires_at: u64(quote.expires_at),
    fee: i128(BigInt(quote.fee)),
    payee: address(quote.payee),
    terms: bytes(fromHex(quote.terms)),
    treasury: address(quote.treasury),
  });

// RFC 8785 of what is sold: texts, integers, booleans and null only.
function terms({ access_seconds, adjustable, charge, limits, meter, route, starts }) {
  return canonical({ access_seconds, adjustable, charge, limits, meter, route, starts });
}

function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

// XDR, as far as a purchase needs it.
const u32 = (number) => Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number);
function big(number, length) {
  return fromHex(BigInt.asUintN(8 * length, number).toString(16).padStart(2 * length, "0"));
}
const opaque = (content) =>
  joined(u32(content.length), content, new Uint8Array((4 - (content.length % 4)) % 4));
const u64 = (number) => joined(u32(U64), big(BigInt(number), 8));
const i128 = (number) => joined(u32(I128), big(number, 16));
const bytes = (content) => joined(u32(BYTES), opaque(content));
const address = (text) => joined(u32(ADDRESS), place(text));
function place(text) {
  const { isContract, key } = fromAddress(text);
  return isContract ? joined(u32(1), key) : joined(u32(0), u32(0), key);
}
function struct(fields) {
  const names = Object.keys(fields).sort();
  const entries = names.map((name) => joined(u32(SYMBOL), opaque(utf8(name)), fields[name]));
  return joined(u32(MAP), u32(1), u32(names.length), ...entries);
}
function node(contract, name, args, subs) {
  const called = joined(place(contract), opaque(utf8(name)), u32(args.length), ...args);
  return joined(u32(0), called, u32(subs.length), ...subs);
}
