// The unmodified SDK on a network: looks around, and buys by a call that the buyer authorizes.
// Its arguments come on standard input; what it saw goes to standard output, as JSON.
import { readFileSync } from "node:fs";
import { contract, hash, Keypair, rpc, scValToNative, xdr } from "@stellar/stellar-sdk";

const asked = JSON.parse(readFileSync(0, "utf8"));
const seller = Keypair.fromSecret(asked.source);
const buyer = Keypair.fromSecret(asked.buyer);
const server = new rpc.Server(asked.url);
const seen = {};

try {
  new rpc.Server(asked.url.replace("https:", "http:"));
} catch (refused) {
  seen.http = refused.message;
}
seen.health = (await server.getHealth()).status;
seen.passphrase = (await server.getNetwork()).passphrase;
seen.version = (await server.getVersionInfo()).version;
seen.fee = (await server.getFeeStats()).sorobanInclusionFee.p90;
const start = (await server.getLatestLedger()).sequence;
seen.account = (await server.getAccount(seller.publicKey())).accountId();

const call = () =>
  contract.AssembledTransaction.build({
    contractId: asked.contract,
    method: "purchase",
    args: asked.arguments.map((argument) => xdr.ScVal.fromXDR(argument, "base64")),
    rpcUrl: asked.url,
    networkPassphrase: asked.passphrase,
    publicKey: seller.publicKey(),
    parseResultXdr: (value) => value,
    ...contract.basicNodeSigner(seller, asked.passphrase),
  });
// As a wallet does it (SEP-43): a preimage comes in, a signature of its hash goes out.
const wallet = async (preimage) => ({
  signedAuthEntry: Buffer.from(buyer.sign(hash(Buffer.from(preimage, "base64")))).toString("base64"),
  signerAddress: buyer.publicKey(),
});

const purchase = await call();
seen.wanted = purchase.needsNonInvokerSigningBy();
await purchase.signAuthEntries({ address: buyer.publicKey(), signAuthEntry: wallet });
const sent = await purchase.signAndSend();
seen.status = sent.getTransactionResponse.status;
seen.returned = Buffer.from(scValToNative(sent.getTransactionResponse.returnValue)).toString("hex");
seen.ledgers = (await server.getLedgers({ startLedger: start, pagination: { limit: 1 } })).ledgers.length;

const filters = [{ type: "contract", contractIds: [asked.contract], topics: [["**"]] }];
const told = await server.getEvents({ startLedger: start, filters });
seen.events = told.events.map((event) => scValToNative(event.topic[0]));
seen.later = (await server.getEvents({ cursor: told.cursor, filters })).events.length;

seen.again = (await call()).simulation.error;
console.log(JSON.stringify(seen));
