// What the tests of the page share: a page that keeps all its complaints, and a gateway whose streams say what a test wants.

import { once } from "node:events";
import { createServer, request } from "node:http";
import { newPage } from "./gateway.mjs";

export const WIDE = { width: 1440, height: 860 };
export const NARROW = { width: 360, height: 740 };

/** Opens the page, and keeps all that it complains of. */
export async function open(t, browser, url, options = {}) {
  const page = await newPage(t, browser, { viewport: WIDE, ...options });
  const complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`page: ${error.message}`));
  page.on("requestfailed", (request) => {
    const ended = ["/v1/stream", "/v1/symbols?limit=", "/v1/history/"].some((part) => request.url().includes(part));
    const failure = request.failure()?.errorText;
    const left = request.url().endsWith("/icon.svg") && failure === "net::ERR_ABORTED"; // The page, before it had its icon.
    if (!ended && !left) complaints.push(`request: ${request.url()} ${failure}`);
  });
  await page.exposeFunction("complain", (text) => complaints.push(text));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) =>
      window.complain(`policy: ${effectiveDirective} forbids ${blockedURI}`));
  });
  const response = await page.goto(url);
  return { page, complaints, response };
}

export const pill = (page, link) => page.waitForSelector(`#pill[data-link="${link}"]`);
export const texts = (page, selector) => page.locator(selector).allTextContents();
export const row = (page, symbol) => page.locator(`#watchlist tr[data-symbol="${symbol}"]`);
export const symbols = (page) => texts(page, "button.symbol");
/** Waits until the list is this. */
export const listed = (page, wanted) => page.waitForFunction((wanted) =>
  [...document.querySelectorAll("button.symbol")].map(({ textContent }) => textContent).join() === wanted, wanted.join());
export const inState = (page, symbol, state, timeout) =>
  page.waitForSelector(`#watchlist tr[data-symbol="${symbol}"][data-state="${state}"]`, { timeout });
/** Waits until a cell of a symbol's row says this. */
export const says = (page, symbol, column, text) => page.waitForFunction(({ symbol, column, text }) =>
  document.querySelector(`#watchlist tr[data-symbol="${symbol}"] td.${column}`)?.textContent === text, { symbol, column, text });

/** Waits until all rows have a price, and then until so many of them have another one. */
export async function pricesMove(page, count = 3) {
  const shown = await page.waitForFunction(() => {
    const cells = [...document.querySelectorAll("#watchlist td.last")].map(({ textContent }) => textContent);
    return cells.length > 0 && cells.every((text) => /\d/.test(text)) && cells;
  });
  await page.waitForFunction(({ shown, count }) => {
    const cells = [...document.querySelectorAll("#watchlist td.last")];
    return cells.filter(({ textContent }, index) => textContent !== shown[index]).length >= count;
  }, { shown: await shown.jsonValue(), count });
}

/** Which streams, and which changes of them, the page has asked for so far; waits for more. */
export function countStreams(page) {
  const urls = [];
  const changes = [];
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.pathname === "/v1/stream") urls.push(url);
    if (url.pathname.startsWith("/v1/streams/")) changes.push(request.postDataJSON());
  });
  return {
    urls,
    changes,
    async change(find) {
      while (!changes.some(find)) await page.waitForEvent("request");
      return changes.find(find);
    },
    async next(what, find) {
      while (!urls.some(find)) await page.waitForEvent("request");
      return urls.find(find);
    },
  };
}

// ---- a gateway of a test's own words

/** Stands before a gateway: its page, its REST, but streams and histories that say what the test wants. */
export async function scripted(t, gateway) {
  const streams = [];
  /** By symbol, the points of its history. */
  const histories = {};
  /** The requests for a history. While `held` is a list, their answers wait in it. */
  const asked = { urls: [], held: null };
  const waiting = [];
  /** What a stream is answered with, if not with a stream. */
  let refusal = null;
  const server = createServer((incoming, outgoing) => {
    if (!incoming.url.startsWith("/v1/stream?")) {
      const { pathname } = new URL(incoming.url, gateway.url);
      if (pathname.startsWith("/v1/history/")) {
        const symbol = pathname.split("/").at(-1);
        asked.urls.push(new URL(incoming.url, gateway.url));
        const answer = () => {
          outgoing.writeHead(200, { "content-type": "application/json" });
          outgoing.end(JSON.stringify({ symbol, epoch: "e1", every: 1_000_000, points: histories[symbol] ?? [] }));
        };
        if (asked.held === null) answer();
        else asked.held.push(answer);
        return;
      }
      if (refusal !== null && pathname === "/v1/quotes") return void refusal(outgoing);
      const forward = request(`${gateway.url}${incoming.url}`, { headers: incoming.headers }, (answer) => {
        outgoing.writeHead(answer.statusCode, answer.headers);
        answer.pipe(outgoing);
      });
      forward.on("error", () => outgoing.destroy());
      return void forward.end();
    }
    if (refusal !== null) return void refusal(outgoing);
    outgoing.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    outgoing.flushHeaders();
    const url = new URL(incoming.url, gateway.url);
    // As a gateway does, unless the test wants silence.
    const beat = setInterval(() => outgoing.write(`event: heartbeat\ndata: {"now":${micros()}}\n\n`), 1_000);
    outgoing.on("close", () => clearInterval(beat));
    streams.push({
      silence: () => clearInterval(beat),
      url,
      asked: url.searchParams.get("symbols").split(","),
      event: (name, data) => outgoing.write(`event: ${name}\ndata: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`),
      tick: (data, id) => outgoing.write(`${id === undefined ? "" : `id: ${id}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`),
      end: () => outgoing.end(),
    });
    for (const resolve of waiting.splice(0)) resolve();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    streams,
    histories,
    asked,
    /** The stream of this number, counted from 0, once it is asked for. */
    async stream(number = 0) {
      while (streams.length <= number) await new Promise((resolve) => waiting.push(resolve));
      return streams[number];
    },
    refuse(status, problem) {
      refusal = status === null ? null : (outgoing) => {
        outgoing.writeHead(status, { "content-type": "application/problem+json" });
        outgoing.end(JSON.stringify(problem));
      };
    },
  };
}

const micros = () => Date.now() * 1000;
export const helloOf = (symbols, epoch = "e1", unknown = []) => ({ stream: "s", epoch, now: micros(), symbols, unknown });
export const tickOf = (symbol, seq, fields = {}) => ({ symbol, seq, kind: "trade", state: "live", recv: micros(), ...fields });
