// The page for people, in a real browser.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TEST, keepScreenshot, launchBrowser, newPage, startGateway } from "./support.mjs";

let browser;
before(async () => { browser = await launchBrowser(); });
after(() => browser?.close());

const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 360, height: 740 };

/** Opens the page, and keeps all that it complains of. */
async function open(t, url, options = {}) {
  const page = await newPage(t, browser, { viewport: WIDE, ...options });
  const complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`page: ${error.message}`));
  page.on("requestfailed", (request) => complaints.push(`request: ${request.url()} ${request.failure()?.errorText}`));
  await page.exposeFunction("complain", (text) => complaints.push(text));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) =>
      window.complain(`policy: ${effectiveDirective} forbids ${blockedURI}`));
  });
  const response = await page.goto(url);
  return { page, complaints, response };
}

const pill = (page, link) => page.waitForSelector(`#pill[data-link="${link}"]`);
const texts = (page, selector) => page.locator(selector).allTextContents();

/** Waits until all rows have a price, and then until so many of them have another one. */
async function pricesMove(page, count = 3) {
  const shown = await page.waitForFunction(() => {
    const cells = [...document.querySelectorAll("#watchlist td.last")].map(({ textContent }) => textContent);
    return cells.length > 0 && cells.every((text) => /\d/.test(text)) && cells;
  });
  await page.waitForFunction(({ shown, count }) => {
    const cells = [...document.querySelectorAll("#watchlist td.last")];
    return cells.filter(({ textContent }, index) => textContent !== shown[index]).length >= count;
  }, { shown: await shown.jsonValue(), count });
}

test("prices move, are said to be simulated, and nothing is complained of", TEST, async (t) => {
  const gateway = await startGateway(t);
  const { page, complaints, response } = await open(t, gateway.url);
  await pill(page, "live");
  await pricesMove(page);
  assert.match(response.headers()["content-security-policy"], /default-src 'none'/);
  assert.deepEqual(await texts(page, "thead th"), ["Symbol", "Last", "Change", "Bid", "Ask", "Volume", "Age", "State"]);
  const rows = await page.locator("#watchlist tbody tr").count();
  assert.ok(rows >= 10, `${rows} rows`);
  assert.ok(await page.getByText("simulated prices").isVisible());
  assert.deepEqual(new Set(await texts(page, "td.state")), new Set(["live"]));
  for (const column of ["change", "bid", "ask", "volume"]) {
    for (const text of await texts(page, `td.${column}`)) assert.match(text, /\d/, column);
  }
  await keepScreenshot(page, "wide");
  assert.deepEqual(complaints, []);

  // That nothing was heard means nothing if nothing would be.
  await page.evaluate(() => document.head.append(Object.assign(document.createElement("style"), { textContent: "p {}" })));
  await page.waitForFunction(() => true);
  assert.ok(complaints.some((text) => text.startsWith("policy: style-src")), complaints.join("\n"));
});

test("a stopped gateway shows: nothing looks live until it is back", TEST, async (t) => {
  const gateway = await startGateway(t);
  const { page } = await open(t, gateway.url);
  await pricesMove(page);
  const colour = () => page.locator("td.last").first().evaluate((cell) => getComputedStyle(cell).color);
  const live = await colour();
  assert.equal(await gateway.stop(), 0);
  await pill(page, "reconnecting");
  assert.match(await page.textContent("#pill"), /^reconnecting/);
  await page.waitForFunction(() => [...document.querySelectorAll("td.state")].every(({ textContent }) => textContent === "not connected"));
  assert.notEqual(await colour(), live);
  await page.waitForFunction(() =>
    [...document.querySelectorAll("td.age")].every(({ textContent }) => /^\d+ s$/.test(textContent)));
  await keepScreenshot(page, "reconnecting");

  await startGateway(t, { listen: gateway.address });
  await pill(page, "live");
  await pricesMove(page);
  await page.waitForFunction(() => [...document.querySelectorAll("td.state")].every(({ textContent }) => textContent === "live"));
  assert.equal(await colour(), live);
});

test("a page that is opened before the gateway has answered fills up by itself", TEST, async (t) => {
  const gateway = await startGateway(t);
  const page = await newPage(t, browser);
  let refused = 0;
  await page.route("**/v1/symbols*", (route) => (refused++ === 0 ? route.abort() : route.continue()));
  await page.goto(gateway.url);
  await pill(page, "reconnecting");
  await pill(page, "live");
  await pricesMove(page);
  assert.equal(refused, 2);
});

test("the address chooses the symbols and their order", TEST, async (t) => {
  const gateway = await startGateway(t);
  const { page, complaints } = await open(t, `${gateway.url}/?symbols=msft,BTC-USDT,NONE.SUCH`);
  await pricesMove(page, 2);
  const names = await page.locator("tbody th").evaluateAll((cells) => cells.map((cell) => cell.firstChild.textContent));
  assert.deepEqual(names, ["MSFT", "BTC-USDT"]);
  assert.match(await page.textContent("#notice"), /NONE\.SUCH/);
  assert.deepEqual(complaints, []);

  await page.goto(`${gateway.url}/?symbols=NONE.SUCH`);
  await pill(page, "ended");
  assert.match(await page.textContent("#notice"), /^No feed has/);
});

test("a narrow screen shows price and state of each symbol without scrolling the page sideways", TEST, async (t) => {
  const gateway = await startGateway(t);
  const { page } = await open(t, gateway.url, { viewport: NARROW });
  await pricesMove(page);
  await keepScreenshot(page, "narrow");
  const { content, window } = await page.evaluate(() => ({
    content: document.scrollingElement.scrollWidth, window: document.documentElement.clientWidth,
  }));
  assert.equal(window, NARROW.width);
  assert.ok(content <= window, `${content} px of content in ${window} px`);
  for (const column of ["last", "change", "bid", "ask", "volume", "age"]) {
    const { x, width } = await page.locator(`td.${column}`).first().boundingBox();
    assert.ok(x >= 0 && x + width <= window, `${column} is cut off`);
  }
});

/** Contrast by WCAG 2 between an element's text and the ground behind it. */
const contrast = (element) => {
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).map((part) => part / 255).map((part) =>
      part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    const { backgroundColor } = getComputedStyle(node);
    const [, , , opacity = 1] = channels(backgroundColor);
    return opacity > 0 || node.parentElement === null ? backgroundColor : ground(node.parentElement);
  };
  const [dark, light] = [getComputedStyle(element).color, ground(element)].map(luminance).sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};

test("light and dark are legible, and the system chooses", TEST, async (t) => {
  const gateway = await startGateway(t);
  const grounds = {};
  for (const colorScheme of ["light", "dark"]) {
    // Without motion, since a flash between two colours has no contrast of its own.
    const { page } = await open(t, gateway.url, { colorScheme, reducedMotion: "reduce" });
    await pricesMove(page);
    await keepScreenshot(page, colorScheme);
    for (const selector of ["h1", "#pill", "thead th", "tbody th", "#origin", "td.last", "td.change", "td.volume", "td.state", "footer p"]) {
      const found = await page.locator(selector).first().evaluate(contrast);
      assert.ok(found >= 4.5, `${selector} has a contrast of ${found.toFixed(2)} in the ${colorScheme} colours`);
    }
    grounds[colorScheme] = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  }
  const brightness = (colour) => Math.max(...colour.match(/\d+/g).map(Number));
  assert.ok(brightness(grounds.light) > 200 && brightness(grounds.dark) < 60, JSON.stringify(grounds));
});
