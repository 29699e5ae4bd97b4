// Plays an issuer: writes the key set of a new key, and prints tokens of it that allow everything, each of a subject of its
// own, as values of Authorization, a line each.
//
//   node tokens.mjs RS256|ES256 KEYS_FILE COUNT

import { generateKeyPairSync, sign } from "node:crypto";
import { writeFileSync } from "node:fs";

const [algorithm, file, count] = process.argv.slice(2);
const { publicKey, privateKey } = algorithm === "RS256"
  ? generateKeyPairSync("rsa", { modulusLength: 2048 })
  : generateKeyPairSync("ec", { namedCurve: "P-256" });
writeFileSync(file, JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), alg: algorithm, kid: "one" }] }));
const encode = (json) => Buffer.from(JSON.stringify(json)).toString("base64url");
const header = encode({ alg: algorithm, kid: "one" });
const exp = Math.floor(Date.now() / 1_000) + 3_600;
for (let number = 0; number < Number(count); number++) {
  const claims = { aud: "tickfan", sub: `client ${number}`, exp, tickfan: { live: ["*"], streams: 100_000 } };
  const signed = `${header}.${encode(claims)}`;
  const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" });
  console.log(`Bearer ${signed}.${signature.toString("base64url")}`);
}
