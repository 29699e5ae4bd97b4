// Hops that compress: a proxy that holds events back until a block of its compressor is full shows a browser nothing.

import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import compression from "compression";
import express from "express";
import { createProxyMiddleware } from "http-proxy-middleware";
import { startNginx } from "../clients/nginx.mjs";
import { Child, TEST, launchBrowser, newPage, otherOrigin, startGateway } from "../support/gateway.mjs";

const PATH = "/v1/stream?symbols=AAPL,BTC-USDT";
/** Quiet enough that no compressor's block fills within a test. */
const CONFIG = '[server]\nhosts = ["ticks.example.com"]\n[[feed]]\nname = "sim"\nvenue = "sim"\nrate = 2\nsymbols = ["AAPL", "BTC-USDT"]\n';

let browser;
before(async () => { browser = await launchBrowser(); });
after(() => browser?.close());

/** Express before the gateway, as development servers of web frameworks proxy: everything passes the compressor. */
async function startExpress(t, target, options) {
  const app = express();
  app.use(compression({ threshold: 0, ...options }));
  app.use(createProxyMiddleware({ target, changeOrigin: true }));
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => { server.close(); server.closeAllConnections(); });
  return `http://127.0.0.1:${server.address().port}`;
}

const HOPS = {
  "express with compression": (t, gateway) => startExpress(t, gateway.url),
  "express that would compress everything": (t, gateway) => startExpress(t, gateway.url, { filter: () => true, level: 9 }),
  "two such hops": async (t, gateway) => startExpress(t, await startExpress(t, gateway.url)),
  "nginx that compresses event streams": async (t, gateway) => {
    const url = await startNginx(t, gateway.address, "1.1", undefined, [["gzip off;", "gzip on; gzip_proxied any; gzip_min_length 0; gzip_types text/event-stream;"]]);
    return url.replace("ticks.example.com", "127.0.0.1");
  },
};

describe("a hop that compresses holds no event back", () => {
  for (const [name, start] of Object.entries(HOPS)) {
    test(name, TEST, async (t) => {
      const gateway = await startGateway(t, { config: CONFIG });
      const url = await start(t, gateway) + PATH;
      for (const encodings of ["gzip, br", "gzip", "deflate, gzip;q=0.5", "identity"]) {
        const curl = new Child(t, "curl", ["--silent", "--insecure", "--no-buffer", "--compressed", "--header", `accept-encoding: ${encodings}`, url]);
        const seen = (lines) => lines.filter(({ text }) => text.startsWith("data: {\"symbol\"")).length;
        await curl.until(`hello and each symbol's newest with ${encodings}`, (lines) => lines.some(({ text }) => text === "event: hello") && seen(lines) >= 2);
        const before = seen(curl.lines);
        await curl.until(`the next tick with ${encodings}`, (lines) => seen(lines) > before);
        await curl.kill();
      }
      const page = await newPage(t, browser, { ignoreHTTPSErrors: true });
      await page.goto(await otherOrigin(t));
      const ticks = await page.evaluate((url) => new Promise((resolve) => {
        let ticks = 0;
        new EventSource(url).onmessage = () => { if (++ticks === 4) resolve(ticks); };
      }), url);
      assert.equal(ticks, 4);
    });
  }
});

test("answers other than streams may still be compressed", TEST, async (t) => {
  const gateway = await startGateway(t, { config: CONFIG });
  const answer = await fetch(`${await startExpress(t, gateway.url)}/openapi.json`, { headers: { "accept-encoding": "gzip" } });
  assert.equal(answer.headers.get("content-encoding"), "gzip");
  assert.equal((await answer.json()).openapi, "3.2.0");
});
