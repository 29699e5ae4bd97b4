// Certificates of the gateway.

import { execFileSync } from "node:child_process";
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

/** A certificate that signs itself and is valid for so many days. */
export function shortCert(t, days) {
  const folder = temporaryFolder(t);
  const [chain, key] = [join(folder, "chain.pem"), join(folder, "key.pem")];
  execFileSync("openssl", [
    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", `${days}`,
    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", chain, "-keyout", key,
  ], { stdio: "ignore" });
  return { chain, key };
}
