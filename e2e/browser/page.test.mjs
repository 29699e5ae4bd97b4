// The page for people, in a real browser.

import { AxeBuilder } from "@axe-core/playwright";
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { NARROW, inState, listed, open as openIn, pill, pricesMove, row, says, symbols, texts } from "../support/page.mjs";
import { Venue, venueConfig } from "../support/venue.mjs";
import { TEST, keepScreenshot, launchBrowser, newPage, startGateway } from "../support/gateway.mjs";

let browser;
before(async () => { browser = await launchBrowser(); });
after(() => browser?.close());
const open = (t, url, options) => openIn(t, browser, url, options);

/** An outage that is known is on the page at once. A busy machine gets room, but less than the 30 s after which silence alone would tell. */
const GREYED_WITHIN = 10_000;

test("prices move, are said to be simulated, and nothing is complained of", TEST, async (t) => {
  const gateway = await startGateway(t);
  const { page, complaints, response } = await open(t, gateway.url);
  await pill(page, "live");
  await pricesMove(page);
  assert.match(response.headers()["content-security-policy"], /default-src 'none'/);
  const headings = (await texts(page, "#watchlist thead th")).map((text) => text.trim());
  for (const heading of ["Symbol", "Last", "Change", "Bid", "Ask", "Volume", "Age", "State"]) assert.ok(headings.includes(heading), heading);
  await page.waitForFunction(() => document.getElementById("base").textContent === "vs close");
  const rows = await page.locator("#watchlist tbody tr").count();
  assert.ok(rows >= 10, `${rows} rows`);
  assert.ok(await page.getByText("simulated prices").isVisible());
  assert.deepEqual(new Set(await texts(page, "#watchlist .badge")), new Set(["sim"]));
  assert.deepEqual(new Set(await texts(page, "td.state")), new Set(["live"]));
  for (const column of ["change", "percent", "bid", "ask", "volume"]) {
    for (const text of await texts(page, `td.${column}`)) assert.match(text, /\d/, column);
  }
  await page.waitForFunction(() => /^\d.*\/s$/.test(document.getElementById("rate").textContent)
    && /ms · p99 .*ms$/.test(document.getElementById("delay").textContent));
  await keepScreenshot(page, "wide");
  assert.deepEqual(complaints, []);

  // That nothing was heard means nothing if nothing would be.
  await page.evaluate(() => document.head.append(Object.assign(document.createElement("style"), { textContent: "p {}" })));
  await page.waitForFunction(() => true);
  assert.ok(complaints.some((text) => text.startsWith("policy: style-src")), complaints.join("\n"));
});

test("a price's direction is a glyph, and a flash unless the person wants no motion", TEST, async (t) => {
  const gateway = await startGateway(t);
  for (const reducedMotion of ["no-preference", "reduce"]) {
    const { page } = await open(t, gateway.url, { reducedMotion });
    // It fades, or on a busy machine is lit for a moment.
    const flashes = () => document.querySelectorAll("[data-flash]:not([data-flash=''])").length
      + document.getAnimations().filter(({ effect }) => effect.target.matches("td.last")).length;
    await page.waitForFunction(() => document.querySelectorAll("td.move[data-move]").length >= 5);
    if (reducedMotion === "reduce") assert.equal(await page.evaluate(flashes), 0);
    else {
      await page.waitForFunction(flashes);
      await page.waitForSelector("td.bid:is([data-flash=up], [data-flash=down]), td.ask:is([data-flash=up], [data-flash=down])");
    }
  }
});

test("a restarted gateway is picked up; until then nothing looks live", TEST, async (t) => {
  const gateway = await startGateway(t);
  const { page } = await open(t, gateway.url);
  await pricesMove(page);
  const colour = () => page.locator("td.last").first().evaluate((cell) => {
    for (const flash of cell.getAnimations()) flash.finish();
    delete cell.dataset.flash;
    return getComputedStyle(cell).color;
  });
  const live = await colour();
  assert.equal(await gateway.stop(), 0);
  await pill(page, "reconnecting");
  await page.waitForFunction(() => /^reconnecting in \d+ s/.test(document.getElementById("pill-text").textContent));
  await page.waitForFunction(() => [...document.querySelectorAll("td.state")].every(({ textContent }) => textContent === "not connected"));
  assert.notEqual(await colour(), live);
  await page.waitForFunction(() =>
    [...document.querySelectorAll("td.age")].every(({ textContent }) => /^\d+ s$/.test(textContent)));
  await keepScreenshot(page, "reconnecting");
  await page.click("#pause");
  await pill(page, "paused");
  const looks = await page.locator("#watchlist tbody tr").evaluateAll((lines) => lines.map((line) =>
    `${line.querySelector("td.state").textContent}, ${getComputedStyle(line.querySelector("td.last")).textDecorationLine}`));
  assert.deepEqual([...new Set(looks)], ["not connected, line-through"], "a pause connects nothing");
  await page.click("#pause");

  await startGateway(t, { listen: gateway.address });
  await pill(page, "live");
  await pricesMove(page);
  await page.waitForFunction(() => [...document.querySelectorAll("td.state")].every(({ textContent }) => textContent === "live"));
  assert.equal(await colour(), live);
});

test("a killed venue greys its rows, and each comes back with its own next tick", TEST, async (t) => {
  const venue = await Venue.start(t);
  const gateway = await startGateway(t, { config: `${venueConfig(venue.url, ["BTC-USDT", "ETH-USDT"])}
[[feed]]
name = "sim"
symbols = ["AAPL"]
` });
  await venue.isSubscribed();
  const { page, complaints } = await open(t, `${gateway.url}/?symbols=BTC-USDT,ETH-USDT,AAPL`);
  await inState(page, "BTC-USDT", "waiting");
  venue.trade("BTC-USDT", "98976.02");
  venue.trade("ETH-USDT", "3327.11");
  await inState(page, "ETH-USDT", "live");
  await says(page, "BTC-USDT", "last", "98,976.02");
  assert.deepEqual(await texts(page, "#watchlist .badge"), ["", "", "sim"]);
  await page.waitForFunction(() => document.getElementById("origin").textContent === "some prices simulated");

  const greyed = ["BTC-USDT", "ETH-USDT"].map((symbol) => inState(page, symbol, "stale", GREYED_WITHIN));
  await Promise.all([venue.kill(), ...greyed]);
  await says(page, "BTC-USDT", "state", "stale: connection lost");
  await page.waitForFunction(() => document.getElementById("pill-text").textContent === "live, 2 stale");
  const look = (symbol) => row(page, symbol).locator("td.last").evaluate((cell) => {
    for (const flash of cell.getAnimations()) flash.finish();
    delete cell.dataset.flash;
    const { color, textDecorationLine, fontWeight } = getComputedStyle(cell);
    return { color, textDecorationLine, fontWeight };
  });
  assert.equal((await look("BTC-USDT")).textDecorationLine, "line-through");
  assert.notEqual((await look("BTC-USDT")).color, (await look("AAPL")).color);
  await page.waitForFunction(() => /BTC-USDT, ETH-USDT stale/.test(document.getElementById("announcer").textContent));
  await inState(page, "AAPL", "live");
  await keepScreenshot(page, "stale");

  await venue.revive();
  await venue.isSubscribed(2);
  venue.trade("ETH-USDT", "3328");
  await inState(page, "ETH-USDT", "live");
  await says(page, "ETH-USDT", "last", "3,328.00");
  assert.ok(await row(page, "BTC-USDT").evaluate(({ dataset }) => dataset.state === "stale"), "the connection alone renews nothing");
  venue.trade("BTC-USDT", "98976.02");
  await inState(page, "BTC-USDT", "live");
  await page.waitForFunction(() => document.getElementById("pill-text").textContent === "live");
  assert.deepEqual(complaints, []);
});

test("a mute venue greys its rows, however well it answers, and each comes back with its own next tick", TEST, async (t) => {
  const MUTE_SECONDS = 4;
  const venue = await Venue.start(t);
  const gateway = await startGateway(t, { config: `${venueConfig(venue.url, ["BTC-USDT", "ETH-USDT"])}mute_after = "${MUTE_SECONDS}s"\n` });
  await venue.isSubscribed();
  const { page, complaints } = await open(t, `${gateway.url}/?symbols=BTC-USDT,ETH-USDT`);
  venue.trade("BTC-USDT", "98976.02");
  venue.trade("ETH-USDT", "3327.11");
  await inState(page, "BTC-USDT", "live");
  await inState(page, "ETH-USDT", "live");
  const pings = setInterval(() => venue.ping(), 100);
  t.after(() => clearInterval(pings));
  await Promise.all(["BTC-USDT", "ETH-USDT"].map((symbol) => inState(page, symbol, "stale", MUTE_SECONDS * 1_000 + GREYED_WITHIN)));
  await says(page, "BTC-USDT", "state", "stale: mute");
  await says(page, "ETH-USDT", "state", "stale: mute");
  await page.waitForFunction(() => document.getElementById("pill-text").textContent === "all stale");
  assert.ok(venue.pongs > 2, `${venue.pongs} answers`);
  const { quotes } = await (await fetch(`${gateway.url}/v1/quotes?symbols=BTC-USDT,ETH-USDT`)).json();
  for (const { symbol, since, recv } of quotes) {
    const after = (since - recv) / 1e3;
    assert.ok(after >= MUTE_SECONDS * 1e3 && after < MUTE_SECONDS * 1e3 + GREYED_WITHIN, `${symbol} after ${after} ms`);
  }

  await venue.isSubscribed(2);
  venue.trade("ETH-USDT", "3328");
  await inState(page, "ETH-USDT", "live");
  await inState(page, "BTC-USDT", "stale"); // Its connection alone renews nothing.
  venue.trade("BTC-USDT", "98976.02");
  await inState(page, "BTC-USDT", "live");
  assert.deepEqual(complaints, []);
});

test("a page that is opened before the gateway has answered fills up by itself", TEST, async (t) => {
  const gateway = await startGateway(t);
  const page = await newPage(t, browser);
  let refused = 0;
  await page.route("**/v1/symbols?limit=20", (route) => (refused++ === 0 ? route.abort() : route.continue()));
  await page.goto(gateway.url);
  await pill(page, "reconnecting");
  await pill(page, "live");
  await pricesMove(page);
  assert.equal(refused, 2);
});

test("without its gateway a page says so once, and asks only while it is seen", TEST, async (t) => {
  const gateway = await startGateway(t);
  const page = await newPage(t, browser);
  await page.clock.install();
  let [asked, reachable] = [0, false];
  await page.route("**/v1/symbols?limit=20", (route) => {
    asked += 1;
    return reachable ? route.continue() : route.abort();
  });
  const hide = (hidden) => page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  const attempt = () => page.waitForEvent("requestfailed", (request) => request.url().endsWith("/v1/symbols?limit=20"));
  await Promise.all([attempt(), page.goto(gateway.url)]);
  for (let more = 0; more < 2; more += 1) {
    await pill(page, "reconnecting");
    await Promise.all([attempt(), page.clock.runFor(4_000)]);
  }
  assert.deepEqual((await texts(page, "#announcer p")).filter((text) => /lost/.test(text)), ["Connection lost, reconnecting"]);
  const before = asked;
  await hide(true);
  await page.clock.runFor(60_000);
  reachable = true;
  await hide(false);
  await pill(page, "live");
  assert.equal(asked, before + 1);
});

test("a symbol added before the gateway has answered is not lost", TEST, async (t) => {
  const gateway = await startGateway(t);
  const page = await newPage(t, browser);
  const held = new Promise((resolve) => page.route("**/v1/symbols?limit=20", resolve));
  await page.goto(gateway.url);
  const asked = await held;
  await page.fill("#search", "XRP-USDT");
  await page.keyboard.press("Enter");
  await listed(page, ["XRP-USDT"]);
  await asked.continue();
  await page.waitForFunction(() => document.querySelectorAll("#watchlist tbody tr").length === 21);
  assert.equal((await symbols(page)).at(-1), "XRP-USDT");
  await pricesMove(page);
  assert.match(page.url(), /,XRP-USDT$/);
});

test("the address chooses the symbols and their order", TEST, async (t) => {
  const gateway = await startGateway(t);
  const { page, complaints } = await open(t, `${gateway.url}/?symbols=msft,BTC-USDT,NONE.SUCH`);
  await listed(page, ["MSFT", "BTC-USDT", "NONE.SUCH"]);
  await inState(page, "MSFT", "live");
  await inState(page, "NONE.SUCH", "unknown");
  assert.match(await page.textContent("#notice"), /NONE\.SUCH/);
  assert.deepEqual(complaints, []);

  await page.goto(`${gateway.url}/?symbols=NONE.SUCH`);
  await pill(page, "ended");
  await inState(page, "NONE.SUCH", "unknown");
  assert.match(await page.textContent("#notice"), /^No feed has/);
});

test("a narrow screen shows each symbol's prices without scrolling sideways", TEST, async (t) => {
  const gateway = await startGateway(t);
  const { page } = await open(t, gateway.url, { viewport: NARROW });
  await pricesMove(page);
  await keepScreenshot(page, "narrow");
  const inside = async () => {
    const { content, window } = await page.evaluate(() => ({
      content: document.scrollingElement.scrollWidth, window: document.documentElement.clientWidth,
    }));
    assert.equal(window, NARROW.width);
    assert.ok(content <= window, `${content} px of content in ${window} px`);
  };
  await inside();
  const names = await symbols(page);
  for (const column of ["last", "percent", "bid", "ask", "volume", "age", "spark", "tools"]) {
    const { x, width } = await page.locator(`td.${column}`).first().boundingBox();
    assert.ok(x >= 0 && x + width <= NARROW.width, `${column} is cut off`);
  }
  const dear = await row(page, "BTC-USDT").locator("td.last").evaluate((cell) => cell.scrollWidth <= cell.clientWidth);
  assert.ok(dear, "a price is cut off");
  await row(page, names[1]).locator("button.symbol").click();
  await page.waitForSelector("#detail:not([hidden]) canvas");
  await inside();
  await keepScreenshot(page, "narrow-detail");
  await page.click("#detail-close");
  await row(page, names.at(-1)).locator("button.symbol").click();
  await page.waitForFunction((symbol) => document.getElementById("detail-symbol").textContent === symbol, names.at(-1));
  const { y } = await page.locator("#detail-symbol").boundingBox();
  assert.ok(y >= 0 && y < NARROW.height, `the details are out of sight, at ${y} px`);
  await page.click("#detail-close");
  const { y: back } = await row(page, names.at(-1)).boundingBox();
  assert.ok(back >= 0 && back < NARROW.height, `the row is out of sight, at ${back} px`);
});

test("in dark and in light, nothing serious keeps a person out", TEST, async (t) => {
  const gateway = await startGateway(t);
  const grounds = {};
  for (const colorScheme of ["light", "dark"]) {
    // Without motion, since a flash between two colours has no contrast of its own.
    const { page } = await open(t, gateway.url, { colorScheme, reducedMotion: "reduce" });
    await pricesMove(page);
    await page.waitForSelector("#detail canvas");
    await keepScreenshot(page, colorScheme);
    const axe = async (when) => {
      const { violations } = await new AxeBuilder({ page }).analyze();
      const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
      const told = serious.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`);
      assert.deepEqual(told, [], `${colorScheme}, ${when}`);
    };
    await axe("live");
    await page.focus("#search");
    await page.waitForSelector("#found [role=option]");
    await axe("searching");
    await page.click("#pause");
    await pill(page, "paused");
    await axe("paused");
    await page.locator("#watchlist .drop").first().click();
    await page.waitForSelector("[role=status] #notice:has-text('Undo')");
    await axe("a notice");
    grounds[colorScheme] = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  }
  const brightness = (colour) => Math.max(...colour.match(/\d+/g).map(Number));
  assert.ok(brightness(grounds.light) > 200 && brightness(grounds.dark) < 60, JSON.stringify(grounds));
});
