// nginx that passes TLS on: clients check the gateway's certificate through it, and speak HTTP/2 with the gateway.

import assert from "node:assert/strict";
import { test } from "node:test";
import { devCert, tlsTable } from "../support/certificates.mjs";
import { Child, TEST, startGateway, within } from "../support/gateway.mjs";
import { startPassingNginx } from "./nginx.mjs";

for (const version of ["2", "1.1"]) {
  test(`a client streams by HTTP/${version} through nginx that passes TLS on`, TEST, async (t) => {
    const cert = devCert(t);
    const gateway = await startGateway(t, { config: tlsTable(cert) });
    const port = await startPassingNginx(t, gateway.tlsPort);
    const url = `https://localhost:${port}/v1/stream/AAPL`;
    const curl = (...args) => new Child(t, "curl", ["--silent", "--no-buffer", `--http${version}`, ...args, url]);
    const stream = curl("--cacert", cert.ca, "--dump-header", "-");
    const ticks = (lines) => lines.filter(({ text }) => text.startsWith("data: {\"symbol\"")).length;
    await stream.until("ticks", (lines) => ticks(lines) > 3);
    assert.match(stream.lines[0].text, new RegExp(`^HTTP/${version} 200`));
    // The certificate is the gateway's: without its CA, curl ends with 60.
    assert.equal(await within("the end of a client that does not trust the CA", curl().exited), 60);
    // The gateway's goodbye and its end pass too.
    await gateway.stop();
    await stream.until("a goodbye", (lines) => lines.some(({ text }) => text === "event: bye"));
    assert.equal(await within("the end", stream.exited), 0);
  });
}
