// The client library in Node, against a gateway that is killed, muted, restarted and drained, and lines that break.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "../../clients/js/src/index.js";
import { TEST, startGateway, within } from "../support/gateway.mjs";
import { startRelay } from "../support/relay.mjs";
import { Issuer, NEARLY_OVER, OVER } from "../support/sign_on.mjs";

/** How long symbols are added and removed at random. */
const SECONDS = Number(process.env.TEST_LIBRARY_SECONDS ?? 5);
const SYMBOLS = ["AAPL", "MSFT", "BTC-USDT"];
const MANY = Array.from({ length: 200 }, (_, place) => `S${place}`);

const feed = (symbols, rate) => `[[feed]]\nname = "sim"\nvenue = "sim"\nrate = ${rate}\nsymbols = ${JSON.stringify(symbols)}\n`;

/** Ticks that are checked as they come: without a line, no price is live. */
function checked(t, url, options = {}) {
  const ticks = connect(url, { heartbeat: 1, ...options });
  t.after(() => ticks.close());
  const shown = new Map();
  const history = new Map();
  const states = [];
  const waiting = new Set();
  const look = () => { for (const watcher of waiting) watcher(); };
  const until = (what, holds, millis) => within(() => `${what}; ${JSON.stringify([states.slice(-4), [...shown.values()].slice(0, 4)])}`, new Promise((resolve) => {
    const watcher = () => { if (holds()) { waiting.delete(watcher); resolve(); } };
    waiting.add(watcher);
    watcher();
  }), millis);
  const isLive = (symbol) => shown.get(symbol)?.state === "live";
  const take = (tick) => {
    const { symbol, seq, state } = tick;
    if (state === "live") assert.equal(ticks.state.connection, "live", `${symbol} ${seq} is live`);
    shown.set(symbol, tick);
    const known = history.get(symbol) ?? new Map();
    if (state === "live") history.set(symbol, known.set(seq, tick));
    look();
  };
  ticks.on("state", (state) => {
    states.push(state);
    if (state.connection !== "live") for (const symbol of shown.keys()) assert.ok(!isLive(symbol), `${symbol} is live while ${state.connection}`);
    look();
  });
  ticks.on("hello", () => history.clear());
  return {
    ticks,
    states,
    shown,
    until,
    watch: (symbols) => ticks.watch(symbols, take),
    live: (symbols = SYMBOLS, millis) => until("live prices", () => symbols.every(isLive), millis),
    lost: (reason) => until(`lost: ${reason}`, () => SYMBOLS.every((symbol) => shown.get(symbol)?.state === "lost") && states.some((state) => state.reason === reason)),
    /** Compares with what the gateway says of these symbols. */
    async equal(symbols = SYMBOLS) {
      const { quotes } = await (await fetch(`${url}/v1/quotes?symbols=${symbols}`)).json();
      assert.equal(quotes.length, symbols.length);
      for (const quote of quotes) {
        await until(`${quote.symbol} ${quote.seq}`, () => shown.get(quote.symbol).seq >= quote.seq);
        const known = history.get(quote.symbol).get(quote.seq);
        if (known === undefined) continue; // Conflated.
        assert.deepEqual({ ...known, kind: 0 }, { ...quote, kind: 0 });
      }
    },
  };
}

test("a gateway that is killed, muted, drained and restarted: nothing stale is live, and all comes back", TEST, async (t) => {
  let gateway = await startGateway(t, { config: feed(SYMBOLS, 100) });
  const { watch, live, lost, equal, states } = checked(t, gateway.url);
  watch(SYMBOLS);
  await live();
  await equal();
  gateway.signal("SIGSTOP");
  await lost("silent");
  gateway.signal("SIGCONT");
  await live();
  gateway.signal("SIGKILL");
  await lost("ended");
  gateway = await startGateway(t, { config: feed(SYMBOLS, 100), listen: gateway.address });
  await live();
  await equal();
  states.length = 0;
  await gateway.stop();
  await lost("shutdown");
  await startGateway(t, { config: feed(SYMBOLS, 100), listen: gateway.address });
  await live();
  await equal();
});

test("a line that breaks, or swallows all: the stream resumes where it was", TEST, async (t) => {
  const gateway = await startGateway(t, { config: feed(SYMBOLS, 12) });
  const relay = await startRelay(t, gateway.address);
  const { ticks, watch, live, lost, equal, until, states } = checked(t, relay.url, { patch: true });
  let [missed, ended] = [0, 0];
  ticks.on("missed", ({ ticks }) => { missed += ticks; });
  watch(["AAPL"]);
  watch(["MSFT"]).add("BTC-USDT");
  await live();
  for (let round = 0; round < 2; round += 1) {
    relay.drop();
    await lost("ended");
    await live();
  }
  await equal();
  ended = states.filter(({ reason }) => reason === "ended").length;
  assert.deepEqual([ended, missed], [2, 0], "what came meanwhile is in the gateway's ring");
  relay.mute();
  await lost("silent");
  await until("another attempt", () => states.at(-1).connection === "connecting");
  relay.hear();
  await live();
  await equal();
});

test("a token that ends is renewed in place, and a new one is asked for where it has ended", TEST, async (t) => {
  const issuer = new Issuer(t);
  const gateway = await startGateway(t, { config: feed(SYMBOLS, 60) + issuer.table() });
  const given = [];
  let seconds = NEARLY_OVER;
  const token = async () => {
    given.push(seconds);
    return issuer.token("u1", ["*"], seconds);
  };
  const first = checked(t, gateway.url, { token });
  let lists = 0;
  first.ticks.on("symbols", () => { lists += 1; });
  first.watch(SYMBOLS);
  await first.live();
  seconds = 600;
  await first.until("a renewal", () => lists > 0);
  await pause(3_500);
  assert.deepEqual(given, [NEARLY_OVER, 600]);
  assert.deepEqual(first.states.map(({ connection }) => connection), ["connecting", "live"], "the stream went on behind the end of its first token");
  first.ticks.close();
  given.length = 0;
  seconds = OVER;
  const { watch, live, until, states } = checked(t, gateway.url, { token });
  watch(SYMBOLS);
  await until("a refusal", () => states.at(-1)?.connection === "refused");
  assert.deepEqual([states.at(-1).reason, given.length], ["expired-token", 2]);
  seconds = 600;
  watch("AAPL").add("NOPE"); // Another list is asked for at once.
  await live();
});

test("symbols that are added and removed at random end as the gateway has them", { timeout: TEST.timeout + 2_000 * SECONDS }, async (t) => {
  const gateway = await startGateway(t, { config: feed(MANY, 2_000) });
  const { ticks, shown, watch, live, equal, until, states } = checked(t, gateway.url, { patch: true });
  const watches = [watch(MANY.slice(0, 3)), watch([]), watch([])];
  let list = [];
  ticks.on("hello", ({ symbols }) => { list = symbols; });
  ticks.on("symbols", ({ symbols }) => { list = symbols; });
  await live(MANY.slice(0, 3));
  const some = (from) => from.filter(() => Math.random() < 0.1);
  for (const end = Date.now() + SECONDS * 1_000; Date.now() < end;) {
    const one = watches[Math.floor(Math.random() * watches.length)];
    if (Math.random() < 0.5) one.add(some(MANY));
    else one.remove(some(one.symbols));
    await pause(20 + Math.random() * 100);
  }
  watches[0].add("S0");
  const wanted = [...new Set(watches.flatMap(({ symbols }) => symbols))].sort();
  await until("the list", () => [...list].sort().join() === wanted.join(), 60_000);
  for (const symbol of shown.keys()) if (!wanted.includes(symbol)) shown.delete(symbol);
  await live(wanted);
  await equal(wanted);
  assert.deepEqual(states.map(({ connection }) => connection), ["connecting", "live"], "over one stream");
  const { totals } = await (await fetch(`http://${gateway.admin}/debug/streams`)).json();
  assert.equal(totals.looked_at, 1);
});
