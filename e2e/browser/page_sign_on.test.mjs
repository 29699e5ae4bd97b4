// The page where clients sign on: what it says without a sign-on, and that it works with the cookie that a page of the
// operator's site sets.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser } from "../support/browsers.mjs";
import { keepScreenshot } from "../support/gateway.mjs";
import { countStreams, inState, listed, open as openIn, pill, pricesMove, row, says } from "../support/page.mjs";
import { Reader } from "../support/readers.mjs";
import { SYMBOLS, startSite } from "../support/sign_on.mjs";

const LONG = { timeout: 240_000 };

/** The page in a profile of its own, and the operator's page beside it, which signs on and off. */
async function visit(t, { site, newProfile }, query, options = {}) {
  const profile = await newProfile();
  t.after(() => profile.close());
  const broker = await Reader.at(profile, site.pages.sameSite);
  const session = async (options) =>
    assert.equal((await broker.ask(`${site.url}/v1/session`, { credentials: "include", ...options })).status, 204);
  const signOn = (live, seconds) => session({ method: "POST", token: site.issuer.token("person", live, seconds) });
  const signOff = () => session({ method: "DELETE" });
  if (options.live) await signOn(options.live);
  // A profile is its own browser context, which has the cookie.
  const opened = await openIn(t, { newContext: () => ({ newPage: () => profile.newPage(), close() {}, setDefaultTimeout() {} }) }, site.url + query);
  await opened.page.setViewportSize({ width: 1440, height: 700 });
  return { ...opened, profile, signOn, signOff, streams: countStreams(opened.page) };
}

const notice = (page, text) => page.waitForFunction((text) => {
  const notice = document.getElementById("notice");
  return text === null ? notice.hidden : !notice.hidden && document.getElementById("notice-text").textContent === text;
}, text);
const SIGN_ON = "This gateway shows prices to clients that have signed on. Sign on at the site that sent you here, then come back.";
/** The person comes back from another window. */
const comeBack = (page) => page.evaluate(() => dispatchEvent(new Event("focus")));
/** A refused answer is an error on the browser's console. */
const complaintsBut = (complaints, status) => complaints.filter((complaint) => !new RegExp(`status of ${status}|request: .*/v1/`).test(complaint));

test("the page says that a sign-on is needed, and works with the cookie of the operator's site", LONG, async (t) => {
  const site = await startSite(t);
  const newProfile = await startBrowser(t, "Chromium", site.ca);
  const cases = {
    async "a list of the person's own"(t) {
      const { page, complaints, signOn, streams } = await visit(t, { site, newProfile }, "/?symbols=AAPL,MSFT,BTC-USDT");
      await pill(page, "signed-out");
      assert.equal(await page.textContent("#pill-text"), "sign-on needed");
      await notice(page, SIGN_ON);
      assert.match(await page.textContent("#announcer"), /Sign-on needed/);
      await keepScreenshot(page, "sign-on-needed");
      await page.getByRole("button", { name: "Try again" }).click();
      await page.waitForFunction(() => document.getElementById("announcer").textContent === "Sign-on neededConnectingSign-on needed");
      await signOn(["AAPL", "BTC-USDT"]);
      await comeBack(page);
      await pill(page, "live");
      await notice(page, "Your subscription does not include MSFT.");
      await says(page, "MSFT", "state", "not entitled");
      await inState(page, "MSFT", "denied");
      await pricesMoveOf(page, ["AAPL", "BTC-USDT"]);
      await keepScreenshot(page, "sign-on-partly");
      assert.deepEqual(streams.changes, [], "the stream carries all that it can");
      assert.deepEqual(complaintsBut(complaints, 401), []);
    },

    async "the gateway's own list"(t) {
      const { page, signOn } = await visit(t, { site, newProfile }, "/");
      await pill(page, "signed-out");
      await notice(page, SIGN_ON);
      await keepScreenshot(page, "sign-on-needed-empty");
      await signOn(["MSFT"]);
      await page.click("#pill");
      await listed(page, ["MSFT"]);
      await pill(page, "live");
      await notice(page, null);
      await pricesMove(page, 1);
      // The search says what is not in the subscription.
      await page.fill("#search", "aapl");
      await page.waitForFunction(() => document.querySelector("#found [role=option] i")?.textContent === "not entitled");
    },

    async "none of the list"(t) {
      const { page, signOn, complaints } = await visit(t, { site, newProfile }, "/?symbols=AAPL", { live: ["MSFT"] });
      await pill(page, "ended");
      await notice(page, "You may not see any of these symbols. Sign on, or add others.");
      await says(page, "AAPL", "state", "not entitled");
      await keepScreenshot(page, "sign-on-none");
      await page.fill("#search", "MSFT");
      await page.keyboard.press("Enter");
      await inState(page, "MSFT", "live");
      await says(page, "AAPL", "state", "not entitled");
      await signOn(["AAPL"]);
      await row(page, "MSFT").locator(".drop").click();
      await inState(page, "AAPL", "live");
      assert.deepEqual(complaintsBut(complaints, 403), []);
    },

    async "signed off"(t) {
      const { page, signOff, streams } = await visit(t, { site, newProfile }, "/?symbols=AAPL,MSFT", { live: SYMBOLS });
      await pill(page, "live");
      await signOff();
      await row(page, "MSFT").locator(".drop").click();
      await streams.change(({ symbols }) => symbols.join() === "AAPL");
      await pill(page, "signed-out");
      await says(page, "AAPL", "state", "not connected");
    },

    async "a renewed cookie renews the stream, and an expired one ends it"(t) {
      const { page, profile, signOn, streams } = await visit(t, { site, newProfile }, "/?symbols=AAPL,MSFT", { live: SYMBOLS });
      await pill(page, "live");
      // The next stream ends 20 s after this, and is renewed 10 s before.
      const cookie = (live, seconds) => site.pages.setCookie(profile, site.issuer.token("person", live, seconds));
      await cookie(["AAPL"], -10);
      const over = page.waitForEvent("requestfailed", (request) => request.url().includes("/v1/stream?"));
      await page.click("#pause");
      await pill(page, "paused");
      await over; // A pause of a moment keeps the stream.
      await page.click("#pause");
      await inState(page, "MSFT", "denied");
      await pricesMoveOf(page, ["AAPL"]);
      const opened = streams.urls.length;
      await signOn(SYMBOLS);
      await streams.change(({ symbols }) => symbols.join() === "AAPL,MSFT");
      await inState(page, "MSFT", "live");
      assert.equal(streams.urls.length, opened, "it is the same stream");
      // It ends after 15 s; the browser has no other cookie.
      await cookie(SYMBOLS, -15);
      await page.fill("#search", "BTC-USDT");
      await page.keyboard.press("Enter");
      await inState(page, "BTC-USDT", "live");
      await page.waitForFunction(() => /^reconnecting in \d+ s: sign-on expired$/.test(document.getElementById("pill-text").textContent));
      await pill(page, "signed-out");
      await keepScreenshot(page, "sign-on-expired");
    },
  };
  await Promise.all(Object.entries(cases).map(([name, run]) => t.test(name, LONG, run)));
});

test("where a sign-on is optional, the page shows what all may see, and asks for a sign-on for the rest", LONG, async (t) => {
  const site = await startSite(t, { auth: 'mode = "optional"\n[auth.anonymous]\nlive = ["MSFT"]' });
  const newProfile = await startBrowser(t, "Chromium", site.ca);
  const { page, complaints, signOn } = await visit(t, { site, newProfile }, "/");
  await listed(page, ["MSFT"]);
  await pricesMove(page, 1);
  await page.fill("#search", "AAPL");
  await page.keyboard.press("Enter");
  await notice(page, "Sign on to see AAPL.");
  await says(page, "AAPL", "state", "not entitled");
  await keepScreenshot(page, "sign-on-optional");
  await signOn(["AAPL", "MSFT"]);
  await comeBack(page);
  await inState(page, "AAPL", "live");
  await notice(page, null);
  assert.deepEqual(complaintsBut(complaints, 404), []);
});

/** Waits until the prices of these symbols have moved. */
async function pricesMoveOf(page, symbols) {
  for (const symbol of symbols) {
    await inState(page, symbol, "live");
    const cell = row(page, symbol).locator("td.last");
    const shown = await cell.textContent();
    await page.waitForFunction(([symbol, shown]) =>
      document.querySelector(`#watchlist tr[data-symbol="${symbol}"] td.last`).textContent !== shown, [symbol, shown]);
  }
}
