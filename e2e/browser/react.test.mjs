// The hooks for React, of examples/react and of the library's README: the newest ticks, lists that change, and no old price
// as live. StrictMode runs each effect twice.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { connectionsOf } from "../support/browsers.mjs";
import { TEST, launchBrowser, newPage, root, startGateway, within } from "../support/gateway.mjs";

const SYMBOLS = ["AAPL", "MSFT", "BTC-USDT"];
const CONFIG = `[[feed]]\nname = "sim"\nvenue = "sim"\nrate = 600\nsymbols = ${JSON.stringify(SYMBOLS)}\n`;

/** The README's hook, as a module of its own. */
function readmeHook(gateway) {
  const readme = readFileSync(join(root, "clients/js/README.md"), "utf8");
  const [, code] = /\n## React\n\n```jsx\n(.*?)```/s.exec(readme);
  return code.replace("https://ticks.example.com", gateway);
}

/** An origin with the page. */
async function serve(t, gateway) {
  const { outputFiles: [{ text }] } = await build({
    entryPoints: [join(root, "e2e/browser/react/app.jsx")],
    bundle: true,
    write: false,
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"development"', "globalThis.gateway": JSON.stringify(gateway) },
    nodePaths: [join(root, "e2e/node_modules")],
    alias: { tickfan: join(root, "clients/js/src/index.js"), useTicks: join(root, "examples/react/useTicks.js") },
    plugins: [{
      name: "the README's hook",
      setup(bundle) {
        bundle.onResolve({ filter: /^readme$/ }, () => ({ path: "readme", namespace: "readme" }));
        bundle.onLoad({ filter: /./, namespace: "readme" }, () => ({ contents: readmeHook(gateway), loader: "jsx", resolveDir: root }));
      },
    }],
  });
  const server = createServer(({ url }, response) => {
    response.setHeader("content-type", url === "/app.js" ? "text/javascript" : "text/html");
    response.end(url === "/app.js" ? text : '<!doctype html><link rel="icon" href="data:,"><title>React</title><div id="app"></div><script src="/app.js"></script>');
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => { server.close(); server.closeAllConnections(); });
  return `http://127.0.0.1:${server.address().port}/`;
}

/** Waits until these symbols, and no others, are shown in this state, with prices; the first one by both hooks. */
const shows = (page, symbols, state) => page.waitForFunction(([symbols, state]) => {
  const lines = [...document.querySelectorAll("p, b")].map(({ className, textContent }) => `${textContent} ${className}`);
  return lines.length === symbols.length + 1
    && [...symbols, symbols[0]].every((symbol, place) => new RegExp(`^${symbol} \\d[\\d.]* ${state}$`).test(lines[place]));
}, [symbols, state]);

test("React's hooks show the newest ticks, once a frame, and no old price as live", TEST, async (t) => {
  const browser = await launchBrowser();
  t.after(() => browser.close());
  let gateway = await startGateway(t, { config: CONFIG });
  const page = await newPage(t, browser);
  const errors = [];
  page.on("pageerror", ({ message }) => errors.push(message));
  page.on("console", (message) => { if (["error", "warning"].includes(message.type()) && !message.text().includes("net::")) errors.push(message.text()); });
  await page.goto(await serve(t, gateway.url));
  const streams = async () => Object.values(await connectionsOf(gateway)).reduce((sum, count) => sum + count, 0);

  await shows(page, ["AAPL", "MSFT"], "live");
  assert.equal(await page.textContent("i"), "live");
  // Each hook has a connection of its own, and StrictMode adds none.
  assert.equal(await streams(), 2);
  const before = await page.innerText("#app");
  await page.waitForFunction((before) => document.querySelector("#app").innerText !== before, before);

  const { lists, frames } = await page.evaluate(() => new Promise((resolve) => {
    const before = { ...window.drawn };
    setTimeout(() => resolve({ lists: window.drawn.lists - before.lists, frames: window.drawn.frames - before.frames }), 2_000);
  }));
  t.diagnostic(`${lists} drawings in ${frames} frames`);
  assert.ok(lists > 0 && lists <= 2 * (frames + 1), `${lists} drawings in ${frames} frames; StrictMode draws twice`);

  await page.evaluate(() => window.show(["BTC-USDT", "AAPL"]));
  await shows(page, ["BTC-USDT", "AAPL"], "live");
  assert.equal(await streams(), 2, "over the same streams");

  gateway.signal("SIGKILL");
  await shows(page, ["BTC-USDT", "AAPL"], "lost");
  gateway = await startGateway(t, { config: CONFIG, listen: gateway.address });
  await shows(page, ["BTC-USDT", "AAPL"], "live");

  // Nothing is shown: the streams end.
  await page.evaluate(() => window.show(null));
  await page.waitForFunction(() => document.querySelector("i").textContent === "idle");
  await within("the end of both streams", (async () => { while (await streams() > 0) await new Promise((resolve) => { setTimeout(resolve, 50); }); })());
  assert.deepEqual(errors, []);
});
