// A buyer with the unmodified SDK: signs what an instruction of ours asks for, each way it may.
import { readFileSync } from "node:fs";
import { authorizeEntry, Keypair, TransactionBuilder, xdr } from "@stellar/stellar-sdk";

const asked = JSON.parse(readFileSync(0, "utf8"));
const buyer = Keypair.fromSecret(asked.buyer);
const { entry_xdr: issued, valid_until_ledger: until, transaction } = asked.instruction;
const entry = xdr.SorobanAuthorizationEntry.fromXDR(issued, "base64");
const signed = await authorizeEntry(entry, buyer, until, asked.passphrase);
const envelope = TransactionBuilder.fromXDR(transaction.xdr, asked.passphrase);
envelope.sign(buyer);
console.log(JSON.stringify({ entry: signed.toXDR("base64"), transaction: envelope.toXDR() }));
