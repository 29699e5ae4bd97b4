// The page in Firefox: once through what matters, over WebDriver BiDi.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import puppeteer from "puppeteer-core";
import { TEST, WAIT, startGateway } from "../support/gateway.mjs";

const firefox = process.env.FIREFOX ?? "/usr/bin/firefox-esr";

test("Firefox shows moving prices, details, another list, and a restarted gateway", TEST, async (t) => {
  if (!existsSync(firefox)) throw new Error(`${firefox} is missing: apt-get install firefox-esr, or set FIREFOX`);
  const browser = await puppeteer.launch({ browser: "firefox", executablePath: firefox, headless: true });
  t.after(() => browser.close());
  const gateway = await startGateway(t);
  const page = await browser.newPage();
  page.setDefaultTimeout(WAIT);
  const complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(`${gateway.url}/?symbols=AAPL,BTC-USDT`);
  const live = () => page.waitForFunction(() => [...document.querySelectorAll("#watchlist tbody tr")].every(({ dataset }) => dataset.state === "live")
    && document.getElementById("pill").dataset.link === "live");
  const move = async () => {
    const shown = await page.$eval("td.last", ({ textContent }) => textContent);
    await page.waitForFunction((shown) => document.querySelector("td.last").textContent !== shown, {}, shown);
  };
  await page.waitForSelector("#watchlist tbody tr:nth-child(2)");
  await live();
  await move();
  await page.click('tr[data-symbol="BTC-USDT"] button.symbol');
  await page.waitForFunction(() => document.getElementById("detail-symbol").textContent === "BTC-USDT"
    && document.querySelector("#chart canvas") !== null && document.querySelectorAll("#tape tbody tr").length > 0);

  // Another list over the open stream.
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await page.type("#search", "MSFT");
  await page.keyboard.press("Enter");
  await page.waitForSelector('tr[data-symbol="MSFT"][data-state="live"]');
  await page.click('tr[data-symbol="AAPL"] .drop');
  await page.waitForFunction(() => document.querySelector('tr[data-symbol="AAPL"]') === null);
  await move();
  assert.equal(asked.filter((path) => path === "/v1/stream").length, 0, asked.join());
  assert.equal(asked.filter((path) => path.startsWith("/v1/streams/")).length, 2, asked.join());

  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.match(ground, /^rgb/);

  assert.deepEqual(complaints, []);
  await gateway.stop();
  await page.waitForFunction(() => /^reconnecting in/.test(document.getElementById("pill-text").textContent));
  await startGateway(t, { listen: gateway.address });
  await live();
  await move();
});
