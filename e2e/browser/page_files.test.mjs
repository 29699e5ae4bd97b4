// How the page's files reach a browser: compressed once, at addresses of their content, and not again on the next visit.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { request } from "node:http";
import { once } from "node:events";
import { pill } from "../support/page.mjs";
import { TEST, launchBrowser, newPage, startGateway } from "../support/gateway.mjs";

let browser;
before(async () => { browser = await launchBrowser(); });
after(() => browser?.close());

/** An answer as it comes: its status, its headers, its bytes. */
async function raw(url, headers = {}, method = "GET") {
  const sent = request(url, { method, headers });
  sent.end();
  const [answer] = await once(sent, "response");
  const chunks = [];
  for await (const chunk of answer) chunks.push(chunk);
  return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) };
}

const DECODE = { br: brotliDecompressSync, gzip: gunzipSync };

test("a browser gets each file once, compressed; on the next visit it asks for the page alone", TEST, async (t) => {
  const gateway = await startGateway(t);
  const page = await newPage(t, browser);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  const seen = [];
  devtools.on("Network.responseReceived", ({ requestId, response: { url, status, headers, fromDiskCache } }) => {
    const { pathname } = new URL(url);
    if (!pathname.startsWith("/v1/")) seen.push({ pathname, status, coding: headers["content-encoding"], cached: fromDiskCache || kept.has(requestId) });
  });
  const kept = new Set(); // Of the memory.
  devtools.on("Network.requestServedFromCache", ({ requestId }) => kept.add(requestId));
  const visit = async () => {
    seen.length = 0;
    await page.goto(gateway.url);
    await pill(page, "live");
    return [...seen];
  };

  const first = await visit();
  const assets = first.filter(({ pathname }) => pathname !== "/");
  assert.ok(assets.length > 30, `${assets.length} files`);
  for (const { pathname, coding } of first) {
    assert.match(pathname, /^\/$|^\/assets\/[0-9a-f]{16}\//);
    assert.ok(["br", "zstd"].includes(coding), `${pathname} in ${coding}`);
  }

  const again = await visit();
  assert.deepEqual(again.filter(({ pathname, cached }) => pathname !== "/" && !cached), []);
});

test("an answer is compressed once, and says so; a HEAD has its head; a copy is confirmed in its own coding", TEST, async (t) => {
  const gateway = await startGateway(t);
  for (const path of ["/", "/app.js", "/tickfan/index.js"]) {
    const plain = await raw(gateway.url + path);
    assert.equal(plain.headers["content-encoding"], undefined);
    for (const [accepts, coding] of [["gzip, deflate, br, zstd", "br"], ["gzip", "gzip"], ["br;q=0, gzip;q=0.2", "gzip"]]) {
      const headers = { "accept-encoding": accepts };
      const answer = await raw(gateway.url + path, headers);
      assert.deepEqual([answer.status, answer.headers["content-encoding"]], [200, coding], `${path} ${accepts}`);
      assert.equal(answer.headers["content-length"], String(answer.body.length));
      assert.ok(DECODE[coding](answer.body).equals(plain.body), `${path} ${accepts}: decoded once it is the file`);
      assert.match(answer.headers.vary, /accept-encoding/);
      const head = await raw(gateway.url + path, headers, "HEAD");
      for (const name of ["etag", "content-encoding", "content-length", "cache-control", "vary"]) assert.equal(head.headers[name], answer.headers[name], `HEAD ${path} ${name}`);
      assert.equal(head.body.length, 0);
      const known = await raw(gateway.url + path, { ...headers, "if-none-match": answer.headers.etag });
      assert.deepEqual([known.status, known.body.length, known.headers.etag], [304, 0, answer.headers.etag]);
      assert.equal((await raw(gateway.url + path, { "if-none-match": answer.headers.etag })).status, 200, "plain bytes are another copy");
    }
    const refused = await raw(gateway.url + path, { "accept-encoding": "identity;q=0" });
    assert.equal(refused.status, 406);
    assert.match(refused.body.toString(), /gzip, br or zstd/);
  }
});
