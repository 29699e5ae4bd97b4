// Certificates of the gateway.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gatewayBinary, temporaryFolder } from "./gateway.mjs";

/** The `[tls]` table for these files; `more` are further lines of it. */
export const tlsTable = ({ chain, key }, more = "") =>
  `[tls]\nlisten = "127.0.0.1:0"\ncertificates = [{ chain = ${JSON.stringify(chain)}, key = ${JSON.stringify(key)} }]\n${more}`;

/** The files of `tickfan dev-cert`: `chain`, `key`, and the `ca` to trust. `renew` replaces them. */
export function devCert(t) {
  const folder = temporaryFolder(t);
  const renew = () => execFileSync(gatewayBinary, ["dev-cert", "--out", folder, "--force"]);
  renew();
  return { chain: join(folder, "chain.pem"), key: join(folder, "key.pem"), ca: join(folder, "ca.pem"), renew };
}

const P256 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
const openssl = (...args) => execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/**
 * A CA, whose certificate is `file`. `sign` makes a certificate of localhost and writes it to `chain` and `key`, over what
 * is there; it returns the serial number.
 */
export function startCa(t) {
  const folder = temporaryFolder(t);
  const at = (name) => join(folder, name);
  openssl("req", "-x509", ...P256, "-days", "2", "-subj", "/CN=a CA of a test", "-keyout", at("ca.key"), "-out", at("ca.pem"));
  writeFileSync(at("extensions"), "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n");
  const [chain, key] = [at("chain.pem"), at("key.pem")];
  return {
    file: at("ca.pem"),
    chain,
    key,
    sign() {
      const made = mkdtempSync(at("made-"));
      const of = (name) => join(made, name);
      openssl("req", ...P256, "-subj", "/CN=localhost", "-keyout", of("key"), "-out", of("request"));
      openssl("x509", "-req", "-in", of("request"), "-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-days", "2", "-extfile", at("extensions"), "-out", of("chain"));
      copyFileSync(of("chain"), chain);
      copyFileSync(of("key"), key);
      return openssl("x509", "-in", chain, "-noout", "-serial").trim().replace("serial=", "");
    },
  };
}

/** Lets a browser whose database of certificates is in this folder trust a CA, as docs/tls.md says. */
export function trust(folder, ca) {
  execFileSync("certutil", ["-d", `sql:${folder}`, "-N", "--empty-password"]);
  execFileSync("certutil", ["-d", `sql:${folder}`, "-A", "-t", "C,,", "-n", "tickfan", "-i", ca]);
}

/** A certificate that signs itself and is valid for so many days. */
export function shortCert(t, days) {
  const folder = temporaryFolder(t);
  const [chain, key] = [join(folder, "chain.pem"), join(folder, "key.pem")];
  openssl("req", "-x509", ...P256, "-days", `${days}`, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", chain, "-keyout", key);
  return { chain, key };
}
