// Plays an issuer: writes the key set of a new key, and prints a token of it that allows everything.
//
//   node tokens.mjs RS256|ES256 KEYS_FILE

import { generateKeyPairSync, sign } from "node:crypto";
import { writeFileSync } from "node:fs";

const [algorithm, file] = process.argv.slice(2);
const { publicKey, privateKey } = algorithm === "RS256"
  ? generateKeyPairSync("rsa", { modulusLength: 2048 })
  : generateKeyPairSync("ec", { namedCurve: "P-256" });
writeFileSync(file, JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), alg: algorithm, kid: "one" }] }));
const encode = (json) => Buffer.from(JSON.stringify(json)).toString("base64url");
const claims = { aud: "tickfan", sub: "a crowd", exp: Math.floor(Date.now() / 1_000) + 3_600, tickfan: { live: ["*"], streams: 100_000 } };
const signed = `${encode({ alg: algorithm, kid: "one" })}.${encode(claims)}`;
const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" });
console.log(`${signed}.${signature.toString("base64url")}`);
