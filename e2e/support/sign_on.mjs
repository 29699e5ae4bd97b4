// What the tests of sign-on share: an issuer, a gateway whose clients sign on, pages of other origins, and a check of what
// a client was sent.

import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";
import { devCert, tlsTable } from "./certificates.mjs";
import { PATIENT, startGateway, temporaryFolder } from "./gateway.mjs";

export const SYMBOLS = ["AAPL", "MSFT", "BTC-USDT"];
export const PATH = `/v1/stream?symbols=${SYMBOLS}`;
/** How long a token lives that ends soon, in seconds: it counts for 30 s more. */
export const NEARLY_OVER = -27;
/** The same for one that no longer counts. */
export const OVER = -31;

/** Makes tokens, and the file of the key that verifies them. */
export class Issuer {
  #key;

  constructor(t) {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    this.#key = privateKey;
    this.file = join(temporaryFolder(t), "keys.json");
    writeFileSync(this.file, JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "one" }] }));
  }

  /** The table of a gateway; `more` are further lines of it, and `keys` is where its keys are. */
  table(more = 'mode = "required"', keys = `file:${this.file}`) {
    return `[auth]\nkeys = ${JSON.stringify(keys)}\nissuer = "https://login.example"\n${more}\n`;
  }

  /** A token of a subject, which allows these symbols live and those delayed, and ends in so many seconds. */
  token(sub, live, seconds = 600, delayed = []) {
    const exp = Math.floor(Date.now() / 1_000) + seconds;
    const encode = (json) => Buffer.from(JSON.stringify(json)).toString("base64url");
    const claims = { iss: "https://login.example", aud: "tickfan", sub, exp, tickfan: { live, delayed } };
    const signed = `${encode({ alg: "EdDSA", kid: "one" })}.${encode(claims)}`;
    return `${signed}.${sign(null, Buffer.from(signed), this.#key).toString("base64url")}`;
  }
}

/**
 * Serves an empty page, whose origins are `sameSite` and `otherSite`, as seen from the gateway's https://localhost.
 * `setCookie` sets a profile's cookie of a session to any token: a host's ports share their cookies.
 */
async function servePages(t, { chain, key }) {
  const server = createServer({ cert: readFileSync(chain), key: readFileSync(key) }, ({ url }, response) => {
    const token = new URL(url, "https://localhost").searchParams.get("token");
    if (token !== null) response.setHeader("set-cookie", `__Host-tickfan=${token}; Path=/; Secure; HttpOnly; SameSite=Strict`);
    response.setHeader("content-type", "text/html");
    response.end('<!doctype html><link rel="icon" href="data:,"><title>a page of your own</title>');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => { server.close(); server.closeAllConnections(); });
  const { port } = server.address();
  const sameSite = `https://localhost:${port}`;
  return {
    sameSite,
    otherSite: `https://127.0.0.1:${port}`,
    async setCookie(profile, token) {
      const page = await profile.newPage();
      await page.goto(`${sameSite}/?token=${token}`);
      await page.close();
    },
  };
}

/**
 * A gateway at https://localhost whose clients sign on, its issuer, and pages of other origins. `lists` their same-site
 * origin. With `late` AAPL has delayed prices too, with `delay` all symbols have, so many seconds late. `keys` is another
 * place of its keys, and `cert` the certificate of another site.
 */
export async function startSite(t, { auth, keys, cert = devCert(t), lists = true, late = false, delay } = {}) {
  const issuer = new Issuer(t);
  const pages = await servePages(t, cert);
  const origins = JSON.stringify(lists ? ["*", pages.sameSite] : ["*"]);
  const config = `[server]\ncors_origins = ${origins}\n[[feed]]\nname = "sim"\nvenue = "sim"\nrate = 60\nsymbols = ${JSON.stringify(SYMBOLS)}\n`;
  const line = delay === undefined ? "" : `delay = "${delay}s"\ndelay_step = "500ms"\n`;
  const second = late ? '[[feed]]\nname = "late"\nvenue = "sim"\ntier = "delayed"\ndelayed_by = "15m"\nrate = 60\nsymbols = ["AAPL"]\n' : "";
  const gateway = await startGateway(t, { config: config + line + second + issuer.table(auth, keys) + tlsTable(cert), env: PATIENT });
  return { gateway, issuer, pages, cert, ca: cert.ca, url: `https://localhost:${gateway.tlsPort}` };
}

/**
 * Checks all that a client noted, `{ name, data, id }` each: its streams listed `lists`, in order one for each `hello` and
 * each `symbols`, and sent ticks of what they list alone, live or delayed as they say, in order, and only until their end.
 */
export function assertCarried(events, lists) {
  const told = events.filter(({ name }) => name === "hello" || name === "symbols");
  assert.deepEqual(told.map(({ name, data }) => [name, ...JSON.parse(data).symbols]), lists);
  let [listed, delayed, until, seqs] = [null, [], 0, new Map()];
  for (const { name, data } of events) {
    if (name === "hello" || name === "symbols") {
      const event = JSON.parse(data);
      if (name === "hello") seqs.clear();
      const passes = (symbol) => event.delayed.includes(symbol) !== delayed.includes(symbol);
      for (const symbol of listed ?? []) if (!event.symbols.includes(symbol) || passes(symbol)) seqs.delete(symbol);
      [listed, delayed, until] = [event.symbols, event.delayed, event.until];
      assert.deepEqual([...listed, ...event.denied].sort(), [...SYMBOLS].sort(), "what is not listed is denied");
    } else if (name === "message") {
      const { symbol, seq, recv = 0, delay_seconds } = JSON.parse(data);
      assert.ok(listed?.includes(symbol), `${symbol} ${seq} is not listed: ${listed}`);
      assert.equal(delay_seconds, delayed.includes(symbol) ? 900 : undefined, `${symbol} ${seq} is of the other tier`);
      assert.ok(seq > (seqs.get(symbol) ?? -1), `${symbol} ${seq} comes behind ${seqs.get(symbol)}`);
      assert.ok(recv <= until, `${symbol} ${seq} is from behind the end`);
      seqs.set(symbol, seq);
    } else if (name !== "heartbeat") {
      listed = null; // The stream has ended.
    }
  }
}

/** The sequence numbers of a symbol's ticks, each once, in the order of their events. */
const seqsOf = (events, symbol) => {
  const ticks = events.filter(({ name }) => name === "message").map(({ data }) => JSON.parse(data));
  return [...new Set(ticks.filter((tick) => tick.symbol === symbol).map(({ seq }) => seq))];
};

/** Checks that no tick of a symbol is missing among those of all streams of a client. */
export function assertNoHole(events, symbol) {
  const seqs = seqsOf(events, symbol);
  assert.deepEqual(seqs, seqs.map((_, place) => seqs[0] + place), `ticks of ${symbol}`);
}

/** Says of the events so far whether each symbol that the stream lists has had some ticks since it does. */
export function hasTicked(events) {
  const from = events.findLastIndex(({ name }) => name === "hello" || name === "symbols");
  if (from < 0) return false;
  const ticks = events.slice(from).filter(({ name }) => name === "message").map(({ data }) => JSON.parse(data).symbol);
  return JSON.parse(events[from].data).symbols.every((symbol) => ticks.filter((other) => other === symbol).length > 3);
}
