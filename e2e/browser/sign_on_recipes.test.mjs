// The recipes of docs/clients.md and examples/sign-on for pages that sign on, as they stand.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { BROWSERS, startBrowser } from "../support/browsers.mjs";
import { WAIT, keepScreenshot, launchBrowser, newPage, root, startGateway, temporaryFolder, within } from "../support/gateway.mjs";
import { NEARLY_OVER, startSite } from "../support/sign_on.mjs";

const LONG = { timeout: 240_000 };

/** The recipe for the cookie: the longest script of the document's section. */
function recipe() {
  const section = readFileSync(join(root, "docs/clients.md"), "utf8").match(/^### With the cookie\n(.*?)^###? /ms)[1];
  return section.match(/^```js\n(.*?)^```/ms)[1];
}

/** A page for the recipe of a gateway with these lines of `[auth]`, and what it tells of itself. */
async function startRecipe(t, browser, auth) {
  const { url, issuer, pages, ca } = await startSite(t, { auth });
  const profile = await (await startBrowser(t, browser, ca))();
  const page = await profile.newPage();
  page.setDefaultTimeout(WAIT);
  await page.goto(`${url}/theme.js`);
  await page.evaluate(() => {
    window.seen = { hellos: [], lists: [], errors: [], lost: [], rows: {} };
    window.EventSource = class extends EventSource {
      constructor(...options) {
        super(...options);
        this.addEventListener("hello", ({ data }) => seen.hellos.push(JSON.parse(data)));
        this.addEventListener("symbols", ({ data }) => seen.lists.push(JSON.parse(data)));
        this.addEventListener("error", () => seen.errors.push(this.readyState));
      }
    };
    window.token = async () => window.current;
    window.show = ({ symbol, state }) => {
      seen.rows[symbol] = state;
      if (state === "lost") seen.lost.push(symbol);
    };
  });
  const seen = async (holds) => {
    let seen;
    await within(() => JSON.stringify(seen), (async () => {
      while (!holds(seen = await page.evaluate(() => window.seen))) await pause(50);
    })());
    return seen;
  };
  /** Has a function of the page return this token from now on. */
  const give = (live, seconds) => page.evaluate((token) => { window.current = token; }, issuer.token("recipe", live, seconds));
  const begin = () => page.evaluate(`{${recipe()};window.parts = { signOn, control: () => control }} void 0`);
  /** Has the stream end within three seconds, as if its cookie had been set a while ago. */
  const nearlyOver = async () => {
    await pages.setCookie(profile, issuer.token("recipe", ["MSFT"], NEARLY_OVER));
    const status = await page.evaluate(async () => {
      const headers = { "content-type": "application/json" };
      return (await fetch(`/v1/streams/${window.parts.control()}`, { method: "POST", headers, body: "{}" })).status;
    });
    assert.equal(status, 200);
  };
  const signOff = () => page.evaluate(() => fetch("/v1/session", { method: "DELETE" }));
  return { page, seen, give, begin, nearlyOver, signOff };
}

for (const browser of BROWSERS) {
  test(`docs/clients.md: a page of ${browser} with the cookie renews its stream, and gets another one after each end`, LONG, async (t) => {
    const { page, seen, give, begin, nearlyOver, signOff } = await startRecipe(t, browser);
    // It is to be renewed in two seconds.
    await give(["AAPL"], 32);
    await begin();
    const first = await seen(({ rows }) => rows.AAPL === "live");
    assert.deepEqual([first.hellos[0].denied, first.rows.MSFT], [["MSFT"], "lost"]);
    await give(["AAPL", "MSFT"], 600);
    const renewed = await seen(({ rows }) => rows.MSFT === "live");
    assert.deepEqual([renewed.hellos.length, renewed.lists[0].rev, renewed.lists[0].symbols], [1, 1, ["AAPL", "MSFT"]]);

    // The browser comes back by itself, with a new cookie.
    await nearlyOver();
    await page.evaluate(() => window.parts.signOn());
    const back = await seen(({ hellos }) => hellos.length === 2);
    assert.deepEqual(back.errors, [0]);
    // The cookie is gone: the browser gives up, and the page signs on.
    await nearlyOver();
    await signOff();
    const again = await seen(({ hellos }) => hellos.length === 3);
    assert.deepEqual(again.errors, [0, 0, 2]);
    assert.deepEqual(again.hellos[2].symbols, ["AAPL", "MSFT"]);
  });

  test(`docs/clients.md: where a sign-on is optional, a page of ${browser} whose cookie has ended signs on again`, LONG, async (t) => {
    const { seen, give, begin, nearlyOver, signOff } = await startRecipe(t, browser, 'mode = "optional"\n[auth.anonymous]\nlive = ["MSFT"]');
    await give(["AAPL", "MSFT"], 600);
    await begin();
    await seen(({ rows }) => rows.AAPL === "live");
    await nearlyOver();
    await signOff();
    const { hellos, errors, lost } = await seen(({ hellos, rows }) => hellos.length === 3 && rows.AAPL === "live" && rows.MSFT === "live");
    assert.deepEqual(errors, [0], "it is answered 200");
    assert.deepEqual([hellos[1].until, hellos[1].symbols, hellos[1].denied], [undefined, ["MSFT"], ["AAPL"]]);
    assert.ok(lost.includes("AAPL") && lost.includes("MSFT"));
    assert.deepEqual([hellos[2].symbols, hellos[2].until > hellos[0].until - 60e6], [["AAPL", "MSFT"], true]);
  });
}

test("examples/sign-on: keys and tokens from the shell, and a page that renews its stream and gets another one after its end", LONG, async (t) => {
  const folder = temporaryFolder(t);
  cpSync(join(root, "examples/sign-on"), folder, { recursive: true });
  const issuer = (...args) => execFileSync(join(folder, "issuer.sh"), args, { encoding: "utf8" }).trim();
  issuer("keys", folder);
  const token = (rights, seconds = 600) => issuer("token", folder, "u17", `${seconds}`, JSON.stringify(rights));
  // The same configuration, but for the place of the keys and the page's origin.
  const server = createServer((_, response) => response.setHeader("content-type", "text/html").end(readFileSync(join(folder, "page/index.html")))).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => { server.close(); server.closeAllConnections(); });
  const origin = `http://localhost:${server.address().port}`;
  const config = readFileSync(join(folder, "tickfan.toml"), "utf8");
  const gateway = await startGateway(t, {
    config: config.replace("http://localhost:8000", origin).replace("file:keys.json", `file:${join(folder, "keys.json")}`),
  });
  const browser = await launchBrowser();
  t.after(() => browser.close());
  const page = await newPage(t, browser);
  page.on("pageerror", (error) => assert.fail(error));
  await page.goto(`${origin}/?gateway=${gateway.url}`);
  const signOn = async (token) => {
    await page.fill("input", token);
    await page.click("button");
  };
  const says = (text) => page.waitForFunction((text) => document.querySelector("#status").textContent === text, text);
  const live = (...symbols) => page.waitForFunction((symbols) => {
    const rows = [...document.querySelectorAll("tr")];
    return rows.every(({ dataset }) => dataset.state === "live") && rows.map(({ cells }) => cells[0].textContent).sort().join() === symbols;
  }, symbols.sort().join());
  const streams = [];
  page.on("request", (request) => { if (/\/v1\/stream\?/.test(request.url())) streams.push(new URL(request.url()).searchParams); });

  await signOn("not.a.token");
  await page.waitForFunction(() => /^Get a new token: /.test(document.querySelector("#status").textContent));
  await signOn(token({ live: ["@us"] }));
  await says("Your subscription does not include BTC-USDT.");
  await live("AAPL", "MSFT");
  await keepScreenshot(page, "example-sign-on");
  await signOn(token({ live: ["BTC-*"] }));
  await says("Your subscription does not include AAPL, MSFT.");
  await live("BTC-USDT");
  assert.equal(streams.length, 1, "it is the same stream");
  // It ends in three seconds. The page comes back with a ticket of the token that it has by then.
  const nextToken = token({ live: ["*"] });
  await signOn(token({ live: ["*"] }, NEARLY_OVER));
  await live("AAPL", "BTC-USDT", "MSFT");
  await page.fill("input", nextToken);
  await page.waitForRequest((request) => /\/v1\/stream\?/.test(request.url()));
  await live("AAPL", "BTC-USDT", "MSFT");
  assert.match(streams[1].get("last_event_id"), /^\w+-\d+$/);
});
