// Clients that sign on, in both browsers: a browser's own EventSource with the cookie and with tickets, a stream that fetch
// reads with a bearer token, and pages of others that try to use the cookie.
//
// Each client opens, is renewed, loses rights, ends with its token, and comes back. All that it was sent is checked.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BROWSERS, startBrowser, untilMetric } from "../support/browsers.mjs";
import { WAIT } from "../support/gateway.mjs";
import { Reader } from "../support/readers.mjs";
import { NEARLY_OVER, OVER, PATH, SYMBOLS, assertCarried, assertNoHole, startSite } from "../support/sign_on.mjs";

const LONG = { timeout: 240_000 };
const ALL = JSON.stringify(SYMBOLS);
const kind = ({ status, json }) => [status, json?.type?.split(":").at(-1)];
/** The request that changes a stream, or renews it. */
const change = (rev, options) => ({ method: "POST", body: `{"rev":${rev},"symbols":${ALL}}`, ...options });

const CLIENTS = {
  async "an EventSource with the cookie"(t, { site, newProfile }) {
    const { url, issuer, pages } = site;
    const token = (...live) => issuer.token("cookie", live);
    const profile = await newProfile();
    const reader = await Reader.at(profile, `${url}/theme.js`);
    const signOn = async (token) => assert.equal((await reader.ask(`${url}/v1/session`, { method: "POST", token })).status, 204);
    /** Has the stream end soon, as if its cookie had been set a while ago. */
    const nearlyOver = async (rev, control, ...live) => {
      await pages.setCookie(profile, issuer.token("cookie", live, NEARLY_OVER));
      const answer = await reader.ask(`${url}/v1/streams/${control}`, change(rev));
      assert.equal(answer.status, 200, JSON.stringify(answer));
    };

    // Without a cookie the EventSource gives up.
    await reader.open(url + PATH);
    await reader.next("error2");
    await signOn(token("AAPL"));
    await reader.open(url + PATH);
    const hello = await reader.next("hello");
    await reader.ticks();

    // A new cookie alone changes nothing; the renewal does.
    await signOn(token("AAPL", "MSFT"));
    await reader.ticks();
    assert.equal((await reader.ask(`${url}/v1/streams/${hello.control}`, change(1))).status, 200);
    assert.ok((await reader.next("symbols")).until >= hello.until);
    await reader.ticks();

    // It loses AAPL, and ends; there is a new cookie by then, and the browser comes back by itself.
    await nearlyOver(2, hello.control, "MSFT");
    await reader.next("symbols");
    await signOn(token("MSFT", "BTC-USDT"));
    assert.deepEqual(await reader.next("bye"), { reason: "expired" });
    await reader.next("error0");
    const { control } = await reader.next("hello");
    await reader.ticks();

    // It ends again, signed off: the browser comes back once and gives up. The page signs on, and goes on where it was.
    await nearlyOver(1, control, "MSFT", "BTC-USDT");
    await reader.next("symbols");
    assert.equal((await reader.ask(`${url}/v1/session`, { method: "DELETE" })).status, 204);
    assert.deepEqual(await reader.next("bye"), { reason: "expired" });
    await reader.next("error0", "error2");
    assert.deepEqual(kind(await reader.ask(`${url}/v1/quotes/MSFT`)), [401, "no-credentials"]);
    await signOn(token("MSFT"));
    await reader.open(`${url}${PATH}&last_event_id=${await reader.lastId()}`);
    await reader.next("hello");
    await reader.ticks();

    const events = await reader.events();
    assertCarried(events, [
      ["hello", "AAPL"], ["symbols", "AAPL", "MSFT"], ["symbols", "MSFT"],
      ["hello", "MSFT", "BTC-USDT"], ["symbols", "MSFT", "BTC-USDT"], ["hello", "MSFT"],
    ]);
    assertNoHole(events, "MSFT");
  },

  async "an EventSource with the cookie, on a listed page of the same site"(t, { site, newProfile }) {
    const { url, issuer, pages } = site;
    const token = (...live) => issuer.token("listed", live);
    const reader = await Reader.at(await newProfile(), pages.sameSite);
    const credentials = "include";
    const signOn = async (token) => assert.equal((await reader.ask(`${url}/v1/session`, { method: "POST", token, credentials })).status, 204);
    await signOn(token("AAPL"));
    await reader.open(url + PATH);
    await reader.next("error2"); // Without `withCredentials` the browser sends no cookie.
    await reader.open(url + PATH, { withCredentials: true });
    const { control } = await reader.next("hello");
    await reader.ticks();
    await signOn(token("MSFT"));
    assert.equal((await reader.ask(`${url}/v1/streams/${control}`, change(1, { credentials }))).status, 200);
    await reader.next("symbols");
    await reader.ticks();
    // With the cookie a bearer token is a second credential.
    const both = change(2, { credentials, token: token("AAPL") });
    assert.deepEqual(kind(await reader.ask(`${url}/v1/streams/${control}`, both)), [400, "two-credentials"]);
    assertCarried(await reader.events(), [["hello", "AAPL"], ["symbols", "MSFT"]]);
  },

  async "an EventSource with tickets, on a page of another site"(t, { site, newProfile }) {
    const { url, issuer, pages } = site;
    const token = (...live) => issuer.token("ticket", live);
    const reader = await Reader.at(await newProfile(), pages.otherSite);
    const ticketed = async (token) => {
      const { status, json } = await reader.ask(`${url}/v1/tickets`, { method: "POST", token });
      assert.equal(status, 201);
      return `${url}${PATH}&ticket=${json.ticket}`;
    };
    // The browser would not keep the cookie.
    assert.deepEqual(kind(await reader.ask(`${url}/v1/session`, { method: "POST", token: token("AAPL") })), [403, "wrong-origin"]);
    await reader.open(`${url}${PATH}&ticket=AAAAAAAAAAAAAAAAAAAAAA`);
    await reader.next("error2");
    const first = await ticketed(token("AAPL"));
    await reader.open(first);
    const { control } = await reader.next("hello");
    await reader.ticks();
    assert.equal((await reader.ask(`${url}/v1/streams/${control}`, change(1, { token: token("AAPL", "MSFT") }))).status, 200);
    await reader.next("symbols");
    await reader.ticks();
    // The browser comes back with the ticket, which is used up, and gives up.
    assert.equal((await reader.ask(`${url}/v1/streams/${control}`, change(2, { token: issuer.token("ticket", ["MSFT"], NEARLY_OVER) }))).status, 200);
    await reader.next("symbols");
    assert.deepEqual(await reader.next("bye"), { reason: "expired" });
    await reader.next("error0", "error2");
    assert.deepEqual(kind(await reader.ask(first)), [401, "bad-ticket"]);
    await reader.open(`${await ticketed(token("MSFT", "BTC-USDT"))}&last_event_id=${await reader.lastId()}`);
    await reader.next("hello");
    await reader.ticks();
    const events = await reader.events();
    assertCarried(events, [["hello", "AAPL"], ["symbols", "AAPL", "MSFT"], ["symbols", "MSFT"], ["hello", "MSFT", "BTC-USDT"]]);
    assertNoHole(events, "MSFT");
  },

  async "fetch with a bearer token, on a page of another site"(t, { site, newProfile }) {
    const { url, issuer, pages } = site;
    const token = (...live) => issuer.token("bearer", live);
    const reader = await Reader.at(await newProfile(), pages.otherSite);
    const over = issuer.token("bearer", SYMBOLS, OVER);
    assert.deepEqual(kind(await reader.read(url + PATH, over)), [401, "expired-token"]);
    assert.deepEqual(kind(await reader.read(url + PATH, "a.b.c")), [401, "bad-token"]);
    assert.deepEqual(kind(await reader.read(url + PATH, token("DOGE-USDT"))), [403, "not-entitled"]);
    assert.equal((await reader.read(url + PATH, token("AAPL"))).status, 200);
    const { control } = await reader.next("hello");
    await reader.ticks();
    const ask = (rev, token) => reader.ask(`${url}/v1/streams/${control}`, change(rev, { token }));
    assert.deepEqual(kind(await ask(1, over)), [401, "expired-token"]);
    assert.deepEqual(kind(await ask(1, issuer.token("another", SYMBOLS))), [404, "no-such-stream"]);
    assert.equal((await ask(1, token("AAPL", "MSFT"))).status, 200);
    await reader.next("symbols");
    await reader.ticks();
    assert.equal((await ask(2, issuer.token("bearer", ["MSFT"], NEARLY_OVER))).status, 200);
    await reader.next("symbols");
    assert.deepEqual(await reader.next("bye"), { reason: "expired" });
    await reader.next("end");
    assert.equal((await reader.read(url + PATH, token("MSFT", "BTC-USDT"), await reader.lastId())).status, 200);
    await reader.next("hello");
    await reader.ticks();
    const events = await reader.events();
    assertCarried(events, [["hello", "AAPL"], ["symbols", "AAPL", "MSFT"], ["symbols", "MSFT"], ["hello", "MSFT", "BTC-USDT"]]);
    assertNoHole(events, "MSFT");
  },
};

for (const browser of BROWSERS) {
  test(`clients of ${browser} that sign on`, LONG, async (t) => {
    const site = await startSite(t);
    const newProfile = await startBrowser(t, browser, site.ca);
    await Promise.all(Object.entries(CLIENTS).map(([name, run]) => t.test(name, LONG, (t) => run(t, { site, newProfile }))));
  });

  test(`${browser}: a stream that has to wait is told so, and comes back by itself`, LONG, async (t) => {
    const { url, issuer, cert, ca } = await startSite(t, { auth: 'mode = "required"\nstreams_per_subject = 1' });
    const newProfile = await startBrowser(t, browser, ca);
    const profile = await newProfile();
    const [first, second] = [await Reader.at(profile, `${url}/theme.js`), await Reader.at(profile, `${url}/theme.js`)];
    const token = issuer.token("busy", ["AAPL"]);
    assert.equal((await first.ask(`${url}/v1/session`, { method: "POST", token })).status, 204);
    await first.open(url + PATH);
    await first.next("hello");
    await first.ticks();
    await second.open(url + PATH);
    assert.deepEqual(await second.next("bye"), { reason: "busy" });
    await second.next("error0");
    await first.close(); // before the other one tries again
    assert.equal((await second.ask(`${url}/v1/quotes/AAPL`)).status, 200, "streams alone are counted");
    second.patience = 2 * WAIT; // It waits for up to 30 s.
    await second.next("hello");
    await second.ticks();
    assertCarried(await second.events(), [["hello", "AAPL"]]);

    // Without keys a stream waits too; every other answer says so by its status.
    const keyless = await startSite(t, { keys: "https://127.0.0.1:1/keys", cert });
    const other = await newProfile();
    const waiting = await Reader.at(other, `${keyless.url}/theme.js`);
    await keyless.pages.setCookie(other, keyless.issuer.token("busy", ["AAPL"]));
    await waiting.open(keyless.url + PATH);
    assert.deepEqual(await waiting.next("bye"), { reason: "busy" });
    await waiting.next("error0");
    assert.deepEqual(kind(await waiting.ask(`${keyless.url}/v1/quotes/AAPL`)), [503, "no-keys"]);
    const session = await waiting.ask(`${keyless.url}/v1/session`, { method: "POST", token });
    assert.deepEqual(kind(session), [503, "no-keys"]);
  });

  test(`${browser}: an EventSource with a right to delayed prices shows none that is younger`, LONG, async (t) => {
    const DELAY = 3;
    const { url, issuer, ca } = await startSite(t, { delay: DELAY });
    const reader = await Reader.at(await (await startBrowser(t, browser, ca))(), `${url}/theme.js`);
    const signOn = async (live, delayed) => {
      const token = issuer.token("late", live, 600, delayed);
      assert.equal((await reader.ask(`${url}/v1/session`, { method: "POST", token })).status, 204);
    };
    await signOn(["MSFT"], ["AAPL"]);
    await reader.open(url + PATH);
    const hello = await reader.next("hello");
    assert.deepEqual([hello.symbols, hello.delayed, hello.denied], [["AAPL", "MSFT"], ["AAPL"], ["BTC-USDT"]]);
    await reader.ticks();
    // MSFT passes from live to delayed prices, in the open stream, and AAPL the other way.
    await signOn(["AAPL"], ["MSFT"]);
    assert.equal((await reader.ask(`${url}/v1/streams/${hello.control}`, change(1))).status, 200);
    assert.deepEqual((await reader.next("symbols")).delayed, ["MSFT"]);
    await reader.ticks();
    let delayed;
    const shown = { AAPL: 0, MSFT: 0 };
    for (const { name, data, at } of await reader.events()) {
      const event = JSON.parse(data);
      if (name === "hello" || name === "symbols") ({ delayed } = event);
      if (name !== "message" || !delayed.includes(event.symbol) || event.recv === undefined) continue;
      const { symbol, delay_seconds, trade_ts = 0, quote_ts = 0, stats_ts = 0 } = event;
      const newest = Math.max(trade_ts, quote_ts, stats_ts);
      assert.equal(delay_seconds, DELAY);
      // Venue, gateway and page have one clock here; the page's has whole milliseconds.
      assert.ok(newest > 0 && newest <= event.recv - DELAY * 1e6 && newest / 1_000 <= at - DELAY * 1_000 + 1, `${data} at ${at}`);
      shown[symbol] += 1;
    }
    assert.ok(shown.AAPL > 1 && shown.MSFT > 1, JSON.stringify(shown));
  });

  test(`${browser}: a page that may not use the cookie does nothing with it`, LONG, async (t) => {
    const { gateway, issuer, pages, ca, url } = await startSite(t, { lists: false });
    const profile = await (await startBrowser(t, browser, ca))();
    const victim = await Reader.at(profile, `${url}/theme.js`);
    const token = issuer.token("victim", ["AAPL"]);
    assert.equal((await victim.ask(`${url}/v1/session`, { method: "POST", token })).status, 204);
    await victim.open(url + PATH);
    const { control } = await victim.next("hello");

    /** Tries all that a page can, with what no page should know: the name of the stream. */
    const attack = async (origin) => {
      const page = await Reader.at(profile, origin);
      await page.run(async ([url, path, change]) => {
        const settled = [];
        for (const target of [path, "/v1/quotes/AAPL"]) {
          settled.push(new Promise((resolve) => {
            const image = Object.assign(new Image(), { onload: resolve, onerror: resolve });
            image.src = url + target;
          }));
        }
        for (const [number, target] of ["/v1/session", "/v1/tickets", change].entries()) {
          const frame = Object.assign(document.createElement("iframe"), { name: `frame${number}` });
          const form = Object.assign(document.createElement("form"), { method: "POST", enctype: "text/plain", action: url + target, target: frame.name });
          const options = { method: "POST", mode: "no-cors", credentials: "include" };
          if (target === change) {
            // As text, it is the JSON of a change.
            form.append(Object.assign(document.createElement("input"), { name: '{"rev":7,"symbols":["MSFT"],"x":"', value: '"}' }));
            options.body = '{"rev":8,"symbols":["MSFT"]}';
          }
          document.body.append(frame, form);
          form.submit();
          settled.push(fetch(url + target, options).catch(() => {}));
        }
        const json = { method: "POST", credentials: "include", headers: { "content-type": "application/json" }, body: '{"rev":9}' };
        settled.push(fetch(url + change, json).catch(() => {}));
        settled.push(fetch(`${url}/v1/session`, { method: "DELETE", credentials: "include" }).catch(() => {}));
        settled.push(fetch(`${url}/v1/session`, { method: "DELETE", credentials: "omit" }).catch(() => {}));
        await Promise.all(settled);
      }, [url, PATH, `/v1/streams/${control}`]);
      // An EventSource of the page, with the cookie if the browser sends it.
      await page.open(url + PATH, { withCredentials: true });
      await page.next("error2");
    };
    const refused = (count) => untilMetric(gateway, 'tickfan_auth_refusals_total{reason="wrong_origin"}', (value) => value === count);
    // From another site the browser sends no cookie.
    await attack(pages.otherSite);
    await refused(0);
    // From the same site it does: with two images, a form, a fetch and an EventSource. Elsewhere only a bearer token counts.
    await attack(pages.sameSite);
    await refused(5);

    await victim.ticks();
    assert.equal((await victim.ask(`${url}/v1/quotes/AAPL`)).status, 200, "the cookie is still there");
    assertCarried(await victim.events(), [["hello", "AAPL"]]);
    await refused(5);
    await untilMetric(gateway, 'tickfan_auth_sessions_total{event="opened"}', (value) => value === 1);
    await untilMetric(gateway, 'tickfan_auth_tickets_total{event="issued"}', (value) => value === 0);
  });
}
