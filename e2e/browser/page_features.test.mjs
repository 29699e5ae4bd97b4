// Each thing that a person can do on the page, done once by keyboard or mouse, against a real gateway.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { countStreams, inState, listed, open as openIn, pill, pricesMove, row, symbols, texts } from "../support/page.mjs";
import { TEST, keepScreenshot, launchBrowser, startGateway } from "../support/gateway.mjs";

let browser;
before(async () => { browser = await launchBrowser(); });
after(() => browser?.close());

/** A page with three symbols, whose streams are counted. */
async function three(t, options = {}) {
  const gateway = await startGateway(t);
  const opened = await openIn(t, browser, `${gateway.url}/?symbols=AAPL,MSFT,KO`, options);
  await listed(opened.page, ["AAPL", "MSFT", "KO"]);
  await pricesMove(opened.page, 1);
  // From here on: the first one is there.
  const streams = countStreams(opened.page);
  return { gateway, streams, ...opened };
}

const simulated = (symbols) => `
[[feed]]
name = "sim"
symbols = ${JSON.stringify(symbols)}
`;
const symbolsInAddress = (page) => new URL(page.url()).searchParams.get("symbols");
const kept = (page) => page.evaluate(() => JSON.parse(localStorage.getItem("tickfan.choices")));
const focused = (page) => page.evaluate(() => document.activeElement.textContent);

test("a symbol is found, added by keyboard, and is there again tomorrow", TEST, async (t) => {
  const { gateway, page, complaints } = await three(t);
  await page.keyboard.press("/");
  await page.keyboard.type("btc");
  await page.waitForFunction(() => document.querySelectorAll("#found [role=option]").length === 2);
  assert.deepEqual(await texts(page, "#found b"), ["BTC-EUR", "BTC-USDT"]);
  await page.keyboard.press("ArrowDown");
  await page.waitForSelector('#found [role=option]:nth-child(2)[aria-selected="true"]');
  await keepScreenshot(page, "search");
  await page.keyboard.press("Enter");
  await listed(page, ["AAPL", "MSFT", "KO", "BTC-USDT"]);
  await inState(page, "BTC-USDT", "live");
  assert.equal(await focused(page), "BTC-USDT");
  assert.equal(symbolsInAddress(page), "AAPL,MSFT,KO,BTC-USDT");

  // By mouse, what was just typed, and a string that is not a symbol.
  await page.fill("#search", "xrp");
  await page.locator("#found [role=option]", { hasText: "XRP-USDT" }).click();
  await listed(page, ["AAPL", "MSFT", "KO", "BTC-USDT", "XRP-USDT"]);
  await page.fill("#search", "no/symbol");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#notice:has-text('is not a symbol')");
  await page.click("#notice-close");

  await page.goto(gateway.url);
  await listed(page, ["AAPL", "MSFT", "KO", "BTC-USDT", "XRP-USDT"]);
  assert.deepEqual(complaints, []);
});

test("a default is not stored: the next visit gets the gateway's list of that time", TEST, async (t) => {
  const gateway = await startGateway(t, { config: simulated(["AAPL", "MSFT"]) });
  const { page } = await openIn(t, browser, gateway.url);
  await listed(page, ["AAPL", "MSFT"]);
  await page.waitForSelector("#detail h2:has-text('AAPL')"); // Where there is room, the first one's are open.
  await row(page, "MSFT").locator("button.symbol").click();
  await page.waitForSelector("#detail h2:has-text('MSFT')");
  assert.equal(page.url(), `${gateway.url}/`);
  assert.deepEqual(await kept(page), { symbols: null, maxRate: null, detail: "MSFT" });

  assert.equal(await gateway.stop(), 0);
  await startGateway(t, { listen: gateway.address, config: simulated(["KO", "PEP"]) });
  await page.reload();
  await listed(page, ["KO", "PEP"]);
  await page.waitForSelector("#detail h2:has-text('KO')");
});

test("a link shows its own list, and leaves the person's as it was until it is changed", TEST, async (t) => {
  const { gateway, page } = await three(t);
  await page.focus('button.symbol[tabindex="0"]');
  await page.keyboard.press("Alt+ArrowDown");
  await listed(page, ["MSFT", "AAPL", "KO"]);

  await page.goto(`${gateway.url}/?symbols=PEP,V&max_rate=2`);
  await listed(page, ["PEP", "V"]);
  await row(page, "V").locator("button.symbol").click();
  await page.waitForSelector("#detail h2:has-text('V')");
  assert.deepEqual(await kept(page), { symbols: ["MSFT", "AAPL", "KO"], maxRate: null, detail: "V" });
  await page.goto(gateway.url);
  await listed(page, ["MSFT", "AAPL", "KO"]);
  assert.equal(await page.textContent("#max-rate-text"), "every tick");
  assert.equal(symbolsInAddress(page), "MSFT,AAPL,KO", "it can be passed on");

  await page.goto(`${gateway.url}/?symbols=PEP,V`);
  await row(page, "V").locator(".drop").click();
  await page.goto(gateway.url);
  await listed(page, ["PEP"]);
});

test("a symbol is removed by key or mouse, and put back", TEST, async (t) => {
  const { page, streams, complaints } = await three(t);
  const place = async () => (await row(page, "AAPL").boundingBox()).y;
  const before = await place();
  await page.focus('button.symbol[tabindex="0"]');
  await page.keyboard.press("ArrowDown");
  assert.equal(await focused(page), "MSFT");
  await page.keyboard.press("Delete");
  await listed(page, ["AAPL", "KO"]);
  await page.waitForSelector("#notice:has-text('Removed MSFT')");
  assert.equal(await place(), before, "the notice moves no row under the pointer");
  assert.equal(await focused(page), "KO");
  await streams.change(({ symbols }) => symbols.join() === "AAPL,KO");
  await page.getByRole("button", { name: "Undo" }).click();
  await listed(page, ["AAPL", "MSFT", "KO"]);
  await inState(page, "MSFT", "live");
  await row(page, "AAPL").locator(".drop").click();
  await listed(page, ["MSFT", "KO"]);
  assert.equal(symbolsInAddress(page), "MSFT,KO");
  await row(page, "MSFT").locator(".drop").click();
  await row(page, "KO").locator(".drop").click();
  await page.waitForSelector("#empty:visible");
  await pill(page, "idle");
  assert.deepEqual(streams.urls, [], "the stream carries another list; there is not another stream");
  assert.deepEqual(complaints, []);
});

test("a list changes over the open stream, and over a new one once that is gone", TEST, async (t) => {
  const { gateway, page, streams, complaints } = await three(t);
  await page.fill("#search", "NVDA");
  await page.keyboard.press("Enter");
  await inState(page, "NVDA", "live");
  await row(page, "KO").locator(".drop").click();
  await page.getByRole("button", { name: "Undo" }).click();
  await listed(page, ["AAPL", "MSFT", "KO", "NVDA"]);
  await inState(page, "KO", "live");
  await pricesMove(page, 4);
  await page.fill("#search", "NOPE");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#notice:has-text('No feed has NOPE')");
  await listed(page, ["AAPL", "MSFT", "KO", "NVDA"]); // What no feed has goes again.
  await streams.change(({ rev }) => rev === 5);
  assert.deepEqual(streams.changes.map(({ symbols }) => symbols.includes("NOPE")), [false, false, false, true, false]);
  assert.deepEqual(streams.urls, []);

  // The browser cannot reach the gateway: the change fails, and so does the new stream, until it is there again.
  await gateway.stop();
  await pill(page, "reconnecting");
  await row(page, "KO").locator(".drop").click();
  await startGateway(t, { listen: gateway.address });
  await pill(page, "live");
  await pricesMove(page, 3);
  const last = streams.urls.at(-1);
  assert.deepEqual(last.searchParams.get("symbols").split(",").sort(), ["AAPL", "MSFT", "NVDA"]);
  assert.deepEqual(complaints.filter((complaint) => !/stream|ERR_/.test(complaint)), []);
});

test("rows are reordered by keyboard and by mouse, without another stream", TEST, async (t) => {
  const { page, streams, complaints } = await three(t);
  await page.focus('button.symbol[tabindex="0"]');
  await page.keyboard.press("Alt+ArrowDown");
  await listed(page, ["MSFT", "AAPL", "KO"]);
  assert.equal(await focused(page), "AAPL");
  assert.equal(symbolsInAddress(page), "MSFT,AAPL,KO");

  const middle = async (selector) => {
    const { x, y, width, height } = await page.locator(selector).boundingBox();
    return [x + width / 2, y + height / 2];
  };
  await page.mouse.move(...await middle('tr[data-symbol="KO"] .grip'));
  await page.mouse.down();
  const [x, y] = await middle('tr[data-symbol="MSFT"] .grip');
  await page.mouse.move(x, y + 5, { steps: 4 });
  await page.mouse.move(x, y - 4, { steps: 4 });
  await page.mouse.up();
  await listed(page, ["KO", "MSFT", "AAPL"]);
  assert.deepEqual((await kept(page)).symbols, ["KO", "MSFT", "AAPL"]);

  // Called off: all is as it was.
  await page.mouse.move(...await middle('tr[data-symbol="KO"] .grip'));
  await page.mouse.down();
  await page.mouse.move(x, y + 200, { steps: 4 });
  await listed(page, ["MSFT", "AAPL", "KO"]);
  await page.keyboard.press("Escape");
  await listed(page, ["KO", "MSFT", "AAPL"]);
  await page.mouse.up();
  assert.equal(symbolsInAddress(page), "KO,MSFT,AAPL");
  assert.deepEqual(streams.urls, []);
  assert.deepEqual(complaints, []);
});

test("details show chart and tape of a row, and are closed again", TEST, async (t) => {
  const { page, complaints } = await three(t);
  await page.waitForSelector("#detail h2:has-text('AAPL')"); // Where there is room, the first one's are open.
  await page.focus('button.symbol[tabindex="0"]');
  await page.keyboard.press("ArrowDown");
  await page.waitForSelector("#detail h2:has-text('MSFT')"); // Open details follow the focus.
  await page.waitForSelector("#chart canvas");
  await page.waitForFunction(() => document.querySelectorAll("#tape tbody tr").length >= 3);
  assert.match(await page.locator("#tape tbody td.price").first().textContent(), /^\d+\.\d\d$/);
  await page.waitForFunction(() => /Chart of the last prices of MSFT/.test(document.getElementById("chart").ariaLabel));
  // Something is drawn, and the cursor reads it.
  await page.waitForFunction(() => {
    const canvas = document.querySelector("#chart canvas");
    return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte > 0);
  });
  const { x, y, width, height } = await page.locator("#chart .u-over").boundingBox();
  await page.mouse.move(x + width - 3, y + height / 2);
  await page.waitForFunction(() => /^\d\d:\d\d:\d\d {2}[\d,.]+$/.test(document.getElementById("reading").textContent));
  for (const text of await texts(page, "#facts :is(.fact-bid, .fact-ask, .fact-open, .fact-high, .fact-low, .fact-volume) dd")) assert.match(text, /\d/);
  await page.click("#detail-close");
  await page.waitForSelector("#detail", { state: "hidden" });
  assert.equal(await focused(page), "MSFT");
  await page.reload();
  await pricesMove(page, 1);
  assert.ok(await page.locator("#detail").isHidden(), "closed stays closed");
  assert.deepEqual(complaints, []);
});

test("the rate changes over the open stream, and is kept", TEST, async (t) => {
  const { page, streams } = await three(t);
  assert.equal(await page.textContent("#max-rate-text"), "every tick");
  await page.focus("#max-rate");
  await page.keyboard.press("Home");
  await streams.change(({ max_rate }) => max_rate === 0.5);
  assert.deepEqual(streams.urls, []);
  assert.equal(await page.textContent("#max-rate-text"), "0.5 a second");
  await pricesMove(page, 1);
  await page.reload();
  await pricesMove(page, 1);
  assert.equal(await page.textContent("#max-rate-text"), "0.5 a second");
  assert.equal(new URL(page.url()).searchParams.get("max_rate"), "0.5");
  // A write every two seconds: the tape has gaps, and says so.
  await page.waitForFunction(() => /^\d+ trades? not shown$/.test(document.querySelector("#tape .gap")?.textContent));
});

test("a paused page stands still and resumes with the newest prices", TEST, async (t) => {
  const { page } = await three(t);
  await page.focus("#pause");
  await page.keyboard.press("Enter");
  await pill(page, "paused");
  await page.waitForFunction(() => /^paused at \d\d:\d\d:\d\d$/.test(document.getElementById("pill-text").textContent)
    && [...document.querySelectorAll("td.state")].every(({ textContent }) => textContent === "paused"));
  const writes = await page.evaluate(async () => {
    let writes = 0;
    new MutationObserver((records) => { writes += records.length; })
      .observe(document.body, { childList: true, characterData: true, attributes: true, subtree: true });
    // Frames pass; and a second in which ages would have changed.
    for (let frame = 0; frame < 80; frame += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
    return writes;
  });
  assert.equal(writes, 0);
  await page.keyboard.press("Enter");
  await pill(page, "live");
  await pricesMove(page, 1);
});

test("dark and light are chosen by a button, and kept", TEST, async (t) => {
  const { page, complaints } = await three(t, { colorScheme: "light" });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.click("#theme");
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  assert.equal(await ground(), dark);
  await page.click("#theme");
  assert.equal(await ground(), light);
  await page.click("#theme");
  assert.equal(await page.getAttribute("#theme", "aria-label"), "Colours: system");
  await pricesMove(page, 1);
  assert.deepEqual(complaints, []);
});

test("a hidden page holds no stream and draws nothing; shown again it is at the newest at once", TEST, async (t) => {
  const { page, streams } = await three(t);
  const hide = (hidden) => page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  const gone = page.waitForEvent("requestfailed", (request) => request.url().includes("/v1/stream"));
  await hide(true);
  await gone;
  await pill(page, "connecting");
  assert.deepEqual(streams.urls, []);
  await hide(false);
  await pill(page, "live");
  await pricesMove(page, 1);
  assert.equal(streams.urls.length, 1);
});

test("all can be reached by the tab key, and the focus shows", TEST, async (t) => {
  const { page } = await three(t);
  await page.evaluate(() => document.activeElement.blur());
  const seen = [];
  for (let stop = 0; stop < 24; stop += 1) {
    await page.keyboard.press("Tab");
    seen.push(await page.evaluate(() => {
      const { id, className, tagName } = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
      return { name: tagName === "BODY" ? tagName : id || className || tagName, shows: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 };
    }));
  }
  const names = seen.map(({ name }) => name);
  for (const name of ["pill", "search", "max-rate", "pause", "theme", "symbol", "detail-close", "tape-holder"]) {
    assert.ok(names.includes(name), `${name} is not among ${names}`);
  }
  for (const { name, shows } of seen) if (name !== "BODY") assert.ok(shows, `the focus on ${name} does not show`);
  assert.deepEqual(await symbols(page), ["AAPL", "MSFT", "KO"]);
});

test("rows are sorted by a heading, columns are chosen, and lists are kept, until the next day", TEST, async (t) => {
  const { page, complaints } = await three(t);
  const order = () => symbols(page);
  await page.click("#watchlist th[data-column=symbol] button");
  assert.deepEqual(await order(), ["AAPL", "KO", "MSFT"]);
  await page.click("#watchlist th[data-column=symbol] button");
  assert.deepEqual(await order(), ["MSFT", "KO", "AAPL"]);
  assert.equal(await page.getAttribute("#watchlist th[data-column=symbol]", "aria-sort"), "descending");
  await page.click("#watchlist th[data-column=last] button");
  const prices = (await texts(page, "#watchlist td.last")).map((text) => Number(text.replaceAll(",", "")));
  assert.deepEqual(prices, prices.toSorted((a, b) => b - a));
  await row(page, "KO").locator(".grip").click();
  await row(page, (await order())[0]).locator("button.symbol").press("Alt+Home");
  assert.equal(await page.getAttribute("#watchlist th[data-column=last]", "aria-sort"), "descending", "no row has moved");
  assert.equal(symbolsInAddress(page), "AAPL,MSFT,KO", "the person's own order is kept");

  await page.click("#look");
  await page.getByLabel("Volume").uncheck();
  await page.fill("#list-name", "Mine");
  await page.click("#keep button");
  await page.waitForSelector("#lists .open:has-text('Mine')");
  assert.equal(await page.locator("#watchlist td.volume").first().isVisible(), false);
  await page.keyboard.press("Escape");
  await row(page, "KO").locator(".drop").click();
  await page.reload();
  await pill(page, "live");
  assert.equal(await page.locator("#watchlist td.volume").first().isVisible(), false);
  assert.equal(await page.getAttribute("#watchlist th[data-column=last]", "aria-sort"), "descending");
  await page.click("#look");
  await page.click("#lists .open");
  await row(page, "KO").waitFor();
  await page.click("#look");
  await page.click("#lists .drop");
  assert.equal(await page.locator("#lists li").count(), 0);
  assert.deepEqual(complaints, []);
});

test("search finds what stands within a name, and names without their marks; the first of those found is added", TEST, async (t) => {
  const { page, complaints } = await three(t);
  for (const [typed, found] of [["usdt", "ADA-USDT"], ["btcusdt", "BTC-USDT"], ["btc/usdt", "BTC-USDT"], ["brkb", "BRK.B"]]) {
    await page.fill("#search", typed);
    await page.waitForSelector(`#found [role=option]:first-child:has-text('${found}')`);
  }
  await page.fill("#search", "xrpusd");
  await page.waitForSelector("#found [role=option]:first-child:has-text('XRP-USDT')");
  await page.keyboard.press("Enter");
  await listed(page, ["AAPL", "MSFT", "KO", "XRP-USDT"]);
  assert.deepEqual(complaints, []);
});

test("a symbol is found by its name, and shown with its name, kind, currency and digits", TEST, async (t) => {
  const gateway = await startGateway(t, { config: simulated(["AAPL", "DOGE-USDT"]) });
  const { page, complaints } = await openIn(t, browser, `${gateway.url}/?symbols=AAPL`);
  await listed(page, ["AAPL"]);
  await page.waitForSelector("#detail-described:has-text('Apple Inc. · stock · USD')");
  assert.equal(await row(page, "AAPL").locator("button.symbol").getAttribute("title"), "Apple Inc. · stock · USD");
  await page.fill("#search", "doge coin");
  await page.waitForFunction(() => [...document.querySelectorAll("#found [role=option]")].map(({ textContent }) => textContent).join() === "DOGE-USDTDogecoinlive");
  await page.waitForSelector('#found [aria-selected="true"]');
  await keepScreenshot(page, "search_name");
  await page.keyboard.press("Enter");
  await listed(page, ["AAPL", "DOGE-USDT"]);
  await row(page, "DOGE-USDT").locator("button.symbol").click();
  await page.waitForSelector("#detail-described:has-text('Dogecoin · crypto · USDT')");
  await page.waitForFunction(() => [...document.querySelectorAll("#tape tbody td:nth-child(3)")].every((size) => /\.\d{3}$/.test(size.textContent)));
  await page.waitForFunction(() => /^\d+\.\d{5}$/.test(document.getElementById("detail-price").textContent));
  await keepScreenshot(page, "facts");
  assert.deepEqual(complaints, []);
});

test("the title is a live price, search finds what is in a name, and Backspace removes nothing", TEST, async (t) => {
  const { page, complaints } = await three(t);
  await page.waitForFunction(() => /^AAPL sim \d+\.\d\d [+−]?\d\.\d\d%$/.test(document.title));
  await page.fill("#search", "usdt");
  await page.waitForSelector("#found [role=option]:has-text('BTC-USDT')");
  await page.keyboard.press("Escape");
  await page.focus('button.symbol[tabindex="0"]');
  await page.keyboard.press("Backspace");
  assert.deepEqual(await symbols(page), ["AAPL", "MSFT", "KO"]);
  await page.click("#pause");
  await page.waitForFunction(() => document.title === "tickfan" && document.getElementById("rate").textContent === "–");
  assert.equal(await page.textContent("#pause"), "Resume");
  assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector("td.last")).textDecorationLine), "none");
  assert.deepEqual(complaints, []);
});

test("the title of a page that is hidden has no price, though no frame is drawn any more", TEST, async (t) => {
  const { page, complaints } = await three(t);
  await page.waitForFunction(() => document.title.startsWith("AAPL "));
  const title = await page.evaluate(() => {
    window.requestAnimationFrame = () => 0;
    Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
    document.dispatchEvent(new Event("visibilitychange"));
    return document.title;
  });
  assert.equal(title, "tickfan");
  assert.deepEqual(complaints, []);
});
