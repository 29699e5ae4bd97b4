// One stream in a world of its own: its reconnects, its changes, its credentials. No socket, and time that the test moves.

import assert from "node:assert/strict";
import { test } from "node:test";
import { streamOf as open } from "../src/stream.js";

const turned = () => new Promise(setImmediate);

/** A stream, what it opened and asked for, and what it told. */
function streamOf(t, options = {}, random = 0) {
  t.mock.timers.reset();
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const seen = { sources: [], asked: [], posts: [], states: [], events: [], absent: [], time: 0, slept: 0 };
  const pending = [];
  class Source extends EventTarget {
    readyState = 1;
    closed = false;
    constructor(url, { withCredentials }) {
      super();
      Object.assign(this, { url, withCredentials });
      seen.sources.push(this);
    }
    close() {
      this.closed = true;
    }
  }
  const stream = open(
    { url: "http://g", credentials: "same-origin", heartbeat: 5, isNative: true, ...options },
    {
      EventSource: Source,
      fetch: (url, init) => new Promise((...settle) => {
        if (url.includes("/v1/streams/")) seen.posts.push([url.slice("http://g".length), JSON.parse(init.body)]);
        seen.asked.push({ url, ...init });
        pending.push(settle);
      }),
      now: () => seen.time,
      date: () => 1_700_000_000_000 + seen.time + seen.slept,
      random: () => random,
    },
    {
      event: (name, data, id) => { seen.events.push([name, JSON.parse(data), id]); seen.heard?.(name); },
      state: (state) => { seen.states.push(state); seen.heard?.(state.connection); },
      absent: (...absent) => seen.absent.push(absent),
    },
  );
  const last = () => seen.sources.at(-1);
  const event = (name, data = {}, lastEventId = "") => last().dispatchEvent(Object.assign(new Event(name), { data: JSON.stringify(data), lastEventId }));
  /** Lets time pass, a second at a time; at once: the page was busy, or slept. */
  const pass = async (millis, atOnce = false) => {
    for (let left = millis; left > 0;) {
      const step = atOnce || millis > 600_000 ? left : Math.min(left, 1_000);
      seen.time += step;
      t.mock.timers.tick(atOnce ? 1_000 : step);
      await turned();
      left -= step;
    }
  };
  return {
    stream,
    seen,
    last,
    state: () => seen.states.at(-1),
    event,
    hello: (symbols, more = {}) => last().dispatchEvent(Object.assign(new Event("hello"), {
      data: JSON.stringify({ symbols, unknown: [], control: "c1", now: 0, epoch: "e1", ...more }), lastEventId: "",
    })),
    ends: () => last().dispatchEvent(new Event("error")),
    /** The browser gives up. */
    async gives_up() {
      last().readyState = 2;
      last().dispatchEvent(new Event("error"));
      await turned();
    },
    async want(...symbols) {
      stream.want(symbols);
      await turned();
    },
    pass,
    /** The same, with a heartbeat every 5 s. */
    async lives(millis) {
      for (let left = millis; left > 0; left -= 5_000) {
        event("heartbeat", {});
        await pass(Math.min(left, 5_000));
      }
    },
    /** Answers the oldest request; without a status it fails. */
    async answer(status, body, headers = {}) {
      const [resolve, reject] = pending.shift();
      if (status === undefined) reject(new TypeError("failed"));
      else resolve(new Response(status === 204 ? null : typeof body === "string" ? body : JSON.stringify(body ?? {}), { status, headers }));
      await turned();
      await turned();
      await turned();
    },
    /** Answers the oldest request with a stream; returns what writes to it, and what ends it. */
    async opens(type = "text/event-stream") {
      let controller;
      const body = new ReadableStream({ start: (given) => { controller = given; } });
      pending.shift()[0](new Response(body, { headers: { "content-type": type } }));
      await turned();
      const encoder = new TextEncoder();
      return {
        write: async (text) => { controller.enqueue(encoder.encode(text)); await turned(); },
        bytes: async (bytes) => { controller.enqueue(bytes); await turned(); },
        end: async () => { controller.close(); await turned(); },
        fail: async () => { controller.error(new Error("reset")); await turned(); },
      };
    },
  };
}

/** Begins a stream of these symbols. */
async function carrying(t, ...symbols) {
  const opened = streamOf(t);
  await opened.want(...symbols);
  opened.hello(symbols);
  return opened;
}

const problem = (kind, detail = "") => ({ type: `urn:tickfan:problem:${kind}`, detail });

test("a lost stream comes back after a wait that it tells, from where it was", async (t) => {
  const { stream, seen, last, event, hello, ends, want, pass, state } = streamOf(t, { maxRate: 4, on: ["trade", "quote"], patch: true });
  await want("A", "B");
  assert.equal(last().url, "http://g/v1/stream?symbols=A,B&heartbeat=5&max_rate=4&on=trade,quote&patch=1");
  hello(["A", "B"]);
  assert.deepEqual(state(), { connection: "live" });
  event("message", {}, "e1-7");
  event("patch", {}, "e1-8");
  ends();
  assert.deepEqual(state(), { connection: "lost", reason: "ended", retryIn: 1_500 });
  await pass(1_499);
  assert.equal(seen.sources.length, 1);
  await pass(1);
  assert.equal(seen.sources.length, 2);
  assert.deepEqual(state(), { connection: "connecting" });
  assert.match(last().url, /&last_event_id=e1-8$/);
  assert.ok(seen.sources[0].closed);
  ends();
  assert.equal(state().retryIn, 3_000, "twice as long after the second failure");
  stream.hurry();
  await turned();
  assert.equal(seen.sources.length, 3, "who does not want to wait does not");
  hello(["A", "B"]);
  stream.hurry();
  assert.equal(seen.sources.length, 3, "an open stream stays");
  event("bye", { reason: "busy" });
  ends();
  assert.deepEqual([state().reason, state().retryIn], ["busy", 5_000]);
  stream.close();
  await pass(60_000);
  assert.equal(seen.sources.length, 3, "a closed stream stays closed");
});

test("a stream whose cookie has ended, where a sign-on is optional, asks for the whole list again when the page says so", async (t) => {
  const { stream, seen, hello, ends, want, pass, answer, event } = streamOf(t);
  await want("A", "B");
  hello(["A", "B"], { denied: [], until: 60_000_000 });
  event("bye", { reason: "expired" });
  ends();
  await pass(4_000);
  hello(["B"], { denied: ["A"], control: "c2" });
  for (const status of [200, 404]) {
    assert.equal(seen.sources.length, 2, "without a cookie the stream stays");
    stream.set({});
    await turned();
    assert.deepEqual([seen.posts.at(-1)[0], seen.posts.at(-1)[1].symbols], ["/v1/streams/c2", ["A", "B"]]);
    await answer(status, status === 200 ? {} : problem("no-such-stream"));
  }
  assert.equal(seen.sources.length, 3, "with one it is another client's, and a stream of one's own replaces it");
});

test("offline is lost at once; online tries at once", async (t) => {
  const { stream, seen, pass, state, ends } = await carrying(t, "A");
  stream.offline();
  assert.deepEqual(state(), { connection: "lost", reason: "offline", retryIn: 1_500 });
  assert.ok(seen.sources[0].closed);
  stream.offline();
  assert.equal(seen.states.filter(({ reason }) => reason === "offline").length, 1);
  await pass(1_500);
  assert.equal(seen.sources.length, 2, "what the browser calls offline may reach the gateway");
  ends();
  stream.hurry();
  await turned();
  assert.equal(seen.sources.length, 3);
});

test("a list changes over the open stream, one change at a time, and the newest one goes next", async (t) => {
  const { seen, want, event, hello, ends, answer } = streamOf(t);
  await want("A", "B");
  await want("A");
  assert.equal(seen.sources.length, 1, "before its hello a stream has no name to be changed by");
  hello(["A", "B"]);
  const first = ["/v1/streams/c1", { rev: 1, symbols: ["A"], max_rate: null, on: null }];
  await turned();
  assert.deepEqual(seen.posts, [first]);
  await want("A", "C");
  await want("C");
  assert.deepEqual(seen.posts, [first], "its answer is still to come");
  await answer(200);
  assert.deepEqual(seen.posts, [first, ["/v1/streams/c1", { rev: 2, symbols: ["C"], max_rate: null, on: null }]]);
  event("symbols", { rev: 2, symbols: ["C"], unknown: [] });
  await answer(200);
  await want("C");
  assert.deepEqual([seen.posts.length, seen.sources.length], [2, 1]);
  ends();
  await want("E");
  assert.deepEqual([seen.posts.length, seen.sources.length], [2, 1], "while it waits to come back, it waits");
});

test("options change over the open stream, and null takes them back", async (t) => {
  const { stream, seen, answer } = await carrying(t, "A");
  stream.set({ maxRate: 2, on: ["trade"] });
  await turned();
  assert.deepEqual(seen.posts, [["/v1/streams/c1", { rev: 1, symbols: ["A"], max_rate: 2, on: ["trade"] }]]);
  await answer(200);
  stream.set({ maxRate: null, on: null });
  await turned();
  assert.deepEqual(seen.posts[1], ["/v1/streams/c1", { rev: 2, symbols: ["A"], max_rate: null, on: null }]);
});

test("a hello of another list has the stream changed; symbols that it does not carry are told too", async (t) => {
  const { seen, hello, answer } = await carrying(t, "A", "B", "C");
  hello(["A"], { unknown: ["B"], denied: ["C"] });
  await turned();
  assert.deepEqual(seen.posts, [], "of B and C there is nothing to carry");
  hello(["A"], { unknown: ["B"] });
  await turned();
  assert.deepEqual(seen.posts.map(([, { rev, symbols }]) => [rev, ...symbols]), [[1, "A", "B", "C"]]);
  await answer(200);
  hello(["A", "B", "C", "D"], { control: "c2" });
  await turned();
  assert.deepEqual([seen.posts[1][0], seen.posts[1][1].rev], ["/v1/streams/c2", 2], "the same stream by another name");
});

test("a gateway whose streams cannot be changed gets a new stream for another list", async (t) => {
  const { seen, last, want, hello } = streamOf(t);
  await want("A");
  await want("A", "B");
  hello(["A"], { control: undefined });
  await turned();
  assert.match(last().url, /symbols=A,B&/);
  hello(["A", "B"], { control: undefined });
  await want("B");
  assert.match(last().url, /symbols=B&/);
  assert.deepEqual([seen.sources.length, seen.posts.length], [3, 0]);
});

test("a change that comes too soon, or to a busy gateway, is sent again later over the same stream", async (t) => {
  const { stream, seen, want, pass, lives, answer, state } = await carrying(t, "A");
  await want("A", "B");
  const waits = async (status, body, after, millis) => {
    const before = seen.posts.length;
    await answer(status, body, after && { "retry-after": after });
    await lives(millis - 1);
    assert.equal(seen.posts.length, before, `${status} ${after}`);
    await pass(1);
    assert.equal(seen.posts.length, before + 1, `${status} ${after}`);
  };
  await waits(429, problem("too-many-changes", "too soon"), "1", 1_000);
  await want("B");
  await waits(503, problem("busy"), "1", 1_500);
  assert.deepEqual(seen.posts.map(([, { rev, symbols }]) => [rev, ...symbols]), [[1, "A", "B"], [2, "A", "B"], [3, "B"]]);
  await waits(503, "<html>", undefined, 3_000);
  await waits(429, problem("full"), "60", 60_000);
  assert.deepEqual(seen.events.filter(([name]) => name === "waits").map(([, { kind }]) => kind), ["too-many-changes", "busy", "", "full"]);
  await answer(200);
  assert.equal(state().connection, "live");
  await want("C");
  stream.close();
  await answer(429, problem("full"), { "retry-after": "1" });
  await pass(60_000);
  assert.equal(seen.posts.length, 6, "a closed stream is not changed");
});

test("a change that nothing will come of opens a new stream", async (t) => {
  for (const answered of [[404, problem("no-such-stream")], [409], [413], [400], [502, "<html>"], []]) {
    const { seen, last, want, answer } = await carrying(t, "A");
    await want("B");
    await want("D");
    await answer(...answered);
    assert.deepEqual([seen.sources.length, seen.posts.length], [2, 1], `${answered}`);
    assert.match(last().url, /symbols=D&/);
  }
});

test("a silent stream is silent, then given up", async (t) => {
  for (const [heartbeat, silent, dead] of [[5, 9_000, 12_000], [1, 2_500, 3_250]]) {
    const { seen, want, hello, pass, state } = streamOf(t, { heartbeat });
    await want("A");
    hello(["A"]);
    await pass(silent * 0.75);
    assert.equal(state().connection, "live");
    await pass(silent * 0.25);
    assert.equal(state().connection, "silent", `${heartbeat}`);
    await pass(dead - silent);
    assert.deepEqual([state().connection, state().reason], ["lost", "silent"]);
    await pass(1_500);
    assert.equal(seen.sources.length, 2);
    await pass(dead);
    assert.equal(state().connection, "lost", "one that never says anything too");
  }
});

test("what has come while the page was busy, or slept, is read before a silence is noticed", async (t) => {
  const { stream, seen, event, pass, state } = await carrying(t, "A");
  await pass(60_000, true);
  assert.equal(state().connection, "live");
  event("message", {}, "e1-7");
  await pass(3_000);
  assert.deepEqual([state().connection, seen.sources.length], ["live", 1]);
  await pass(60_000, true);
  stream.hurry();
  await turned();
  assert.deepEqual([state().connection, seen.sources.length], ["connecting", 2], "it is looked at again, and wants the newest");
  await pass(60_000, true);
  await pass(1_000);
  assert.equal(state().connection, "lost", "there was nothing to read");
});

test("a hidden tab, whose looks are a minute apart, notices a dead line too", async (t) => {
  const { seen, event, pass, state } = await carrying(t, "A");
  for (let minute = 0; minute < 3; minute += 1) {
    event("heartbeat");
    await pass(60_000, true);
    assert.equal(state().connection, "live", "it looks a minute after the last heartbeat: others may wait to be read");
  }
  await pass(60_000, true);
  assert.deepEqual([state().connection, state().reason], ["lost", "silent"], "nothing came between two looks");
  // A page that is busy twice, and has time between: what has come is read only after the second look.
  const other = await carrying(t, "A");
  await other.pass(3_000, true);
  await other.pass(1_000);
  await other.pass(7_000, true);
  assert.equal(other.state().connection, "live");
  assert.equal(seen.sources.length, 1);
});

test("a machine that has slept opens a new stream when it wakes, whatever its clocks say", async (t) => {
  for (const wakes of ["looks", "hurries"]) {
    const { stream, seen, event, hello, pass, state } = await carrying(t, "A");
    await pass(4_000);
    event("message", {}, "e1-7");
    seen.slept += 3_600_000; // The monotonic clock stood still.
    if (wakes === "hurries") stream.hurry();
    else await pass(1_000);
    await turned();
    assert.deepEqual([state().connection, seen.sources.length], ["connecting", 2], wakes);
    hello(["A"]);
    await pass(3_000);
    assert.deepEqual([state().connection, seen.sources.length], ["live", 2], "once");
    seen.slept -= 3_600_000; // The clock is set back.
    await pass(1_000);
    seen.slept += 1_500; // By its server, a little.
    await pass(1_000);
    assert.equal(seen.sources.length, 2);
    stream.offline();
    seen.slept += 3_600_000;
    await pass(1_500);
    hello(["A"]);
    await pass(3_000);
    assert.deepEqual([state().connection, seen.sources.length], ["live", 3], "it slept before this one");
  }
});

test("the first event after a silence opens a new stream, which brings the newest tick of each symbol", async (t) => {
  for (const heard of ["heartbeat", "message", "bye"]) {
    const { seen, last, event, hello, want, pass, state } = streamOf(t);
    await want("A");
    await pass(9_000);
    hello(["A"]); // All of this one is still to come.
    assert.equal(state().connection, "live");
    event("message", {}, "e1-7");
    await pass(9_000);
    assert.deepEqual([state().connection, seen.sources.length], ["silent", 1]);
    event(heard, {}, heard === "message" ? "e1-9" : "");
    await turned();
    assert.deepEqual([state().connection, seen.sources.length], ["connecting", 2], heard);
    assert.ok(seen.sources[0].closed);
    assert.match(last().url, /&last_event_id=e1-7$/, "what was not taken comes again");
    hello(["A"]);
    event("heartbeat", { now: 1 });
    assert.deepEqual([state().connection, seen.sources.length], ["live", 2]);
  }
});

test("where an EventSource gives up, a fetch learns why, or is the stream", async (t) => {
  const { seen, want, gives_up, answer, opens, state, pass } = streamOf(t);
  await want("A");
  await gives_up();
  assert.equal(seen.asked[0].url, seen.sources[0].url);
  await answer(503, problem("busy", "full"), { "retry-after": "20" });
  assert.deepEqual(state(), { connection: "lost", reason: "busy", retryIn: 20_000, detail: "full" });
  await pass(20_000);
  assert.equal(seen.sources.length, 2, "then an EventSource again");
  await gives_up();
  const { write } = await opens();
  await write('event: hello\ndata: {"symbols":["A"],"unknown":[],"now":0,"epoch":"e1"}\n\n');
  assert.equal(state().connection, "live");
});

test("an answer other than a stream is final only if the request itself is wrong, and is asked again a minute later", async (t) => {
  const { seen, want, answer, opens, state, pass } = streamOf(t, { isNative: false });
  await want("A");
  for (const [status, body, connection, reason, detail, absent] of [
    [502, "<html>", "lost", "http-502", ""],
    [429, problem("too-many-streams", "8 are open"), "lost", "too-many-streams", "8 are open"],
    [undefined, undefined, "lost", "ended"],
    [200, "<html>", "lost", "ended"],
    [404, problem("no-such-symbol", "none is known"), "refused", "no-such-symbol", "none is known", "unknown"],
    [403, problem("not-entitled"), "refused", "not-entitled", "", "denied"],
    [404, "<html>", "refused", "http-404", ""],
    [401, "<html>", "refused", "http-401", ""],
  ]) {
    await answer(status, body);
    assert.deepEqual([state().connection, state().reason, state().detail], [connection, reason, detail]);
    assert.deepEqual(seen.absent.pop(), absent && [["A"], absent]);
    await pass(state().retryIn);
  }
  const before = seen.asked.length;
  await answer(404, problem("no-such-symbol"));
  await want("A");
  assert.equal(seen.asked.length, before, "the same list is refused again");
  await want("B");
  assert.equal(seen.asked.length, before + 1, "another one may be allowed");
  await opens();
});

test("a gateway without patches is asked for a stream without; one that refuses something else is not", async (t) => {
  const { seen, want, answer, state } = streamOf(t, { isNative: false, patch: true });
  await want("A");
  for (const [index, [kind, detail]] of [
    ["too-many-symbols", "501 symbols; patch is fine"],
    ["unknown-parameter", "on is not a parameter of this path. It takes patch."],
    ["bad-option", "patch is true or false"],
  ].entries()) {
    await answer(400, problem(kind, detail));
    assert.deepEqual([state().reason, seen.asked.length], [kind, index + 1]);
    await want("A", `B${index}`);
    assert.match(seen.asked.at(-1).url, /&patch=1/, kind);
  }
  await answer(400, problem("unknown-parameter", "patch is not a parameter of this path. It takes symbols."));
  assert.equal(seen.asked.length, 5);
  assert.doesNotMatch(seen.asked[4].url, /patch/);
  await answer(400, problem("unknown-parameter", "patch is not a parameter of this path."));
  assert.deepEqual([state().connection, seen.asked.length], ["refused", 5]);
});

test("a token goes along in a header, is asked for once, and again after a 401", async (t) => {
  let tokens = 0;
  const { seen, want, answer, opens, state, pass } = streamOf(t, { isNative: false, token: async () => `t${++tokens}` });
  await want("A");
  assert.deepEqual([seen.asked[0].headers.authorization, seen.asked[0].credentials], ["Bearer t1", "omit"]);
  await answer(502);
  await pass(1_500);
  assert.equal(seen.asked[1].headers.authorization, "Bearer t1");
  await answer(401, problem("expired-token"));
  assert.equal(seen.asked[2].headers.authorization, "Bearer t2", "at once");
  const { write, end } = await opens();
  await write('retry: 1000\nevent: hello\ndata: {"symbols":["A"],"unknown":[],"now":0,"epoch":"e1","control":"c1"}\n\n');
  await want("A", "B");
  assert.equal(seen.asked[3].headers.authorization, "Bearer t2");
  await answer(401, problem("expired-token"));
  await pass(1_000);
  assert.deepEqual([seen.asked[4].url, seen.asked[4].headers.authorization], ["http://g/v1/streams/c1", "Bearer t3"], "the stream goes on");
  await answer(200);
  await write('event: bye\ndata: {"reason":"expired"}\n\n');
  await end();
  assert.deepEqual(state(), { connection: "lost", reason: "expired", retryIn: 1_000 });
  await pass(1_000);
  assert.equal(seen.asked[5].headers.authorization, "Bearer t4");
  await answer(401, problem("bad-token"));
  await answer(401, problem("bad-token", "not signed by us"));
  assert.deepEqual([state().connection, state().reason, tokens], ["refused", "bad-token", 5]);
});

test("a token that a function gave and the gateway refuses is asked for again soon, a fixed one after a minute", async (t) => {
  for (const [token, waits] of [[() => "<h1>Internal error</h1>", [1_500, 3_000, 6_000]], ["expired", [60_000, 60_000, 60_000]]]) {
    const { seen, want, answer, state, pass } = streamOf(t, { isNative: false, token });
    await want("A");
    await answer(401, problem("bad-token"));
    for (const wait of waits) {
      await answer(401, problem("bad-token"));
      assert.deepEqual([state().connection, state().retryIn], ["refused", wait], `${token}`);
      await pass(wait);
    }
    assert.equal(seen.asked.length, 5, `${token}`);
  }
});

test("a renewal whose token is refused does not end the stream, and is sent again with the next token", async (t) => {
  const page = async () => "<h1>Internal error</h1>";
  for (const [then, login] of [["another page", page], ["an error", async () => { throw new Error("no login"); }]]) {
    let token = async () => "good";
    const { seen, want, answer, event, hello, lives, ends, pass, state } = streamOf(t, { isNative: true, token: () => token() });
    await want("A");
    await answer(201, { ticket: "abc" });
    hello(["A"], { until: 100_000_000 });
    token = page;
    await lives(70_000);
    await answer(401, problem("bad-token"));
    token = login;
    await lives(1_000);
    if (login === page) await answer(401, problem("bad-token"));
    token = async () => "better";
    await lives(2_000);
    assert.deepEqual([state().connection, seen.sources.length], ["live", 1], then);
    assert.equal(seen.asked.at(-1).headers.authorization, "Bearer better", then);
    await answer(200);
    event("symbols", { rev: 3, symbols: ["A"], unknown: [], until: 1_000_000_000 });
    await lives(60_000);
    assert.deepEqual([state().connection, seen.sources.length], ["live", 1], then);
    event("bye", { reason: "expired" });
    ends();
    await pass(1_500);
    assert.equal(seen.asked.at(-1).url, "http://g/v1/tickets", "the gateway ended it");
  }
});

test("a refused change ends a stream for which no other token can be had: the page learns that it is signed out", async (t) => {
  for (const token of [undefined, "fixed"]) {
    const { seen, want, answer, opens, state } = streamOf(t, { isNative: false, token });
    await want("A");
    const { write } = await opens();
    await write('event: hello\ndata: {"symbols":["A"],"unknown":[],"now":0,"epoch":"e1","control":"c1"}\n\n');
    await want("A", "B");
    await answer(401, problem("no-credentials"));
    assert.match(seen.asked.at(-1).url, /v1\/stream\?/, "a new stream says why");
    await answer(401, problem("no-credentials"));
    if (token) await answer(401, problem("no-credentials"));
    assert.deepEqual([state().connection, state().reason], ["refused", "no-credentials"], token);
  }
});

test("a list that is set again is sent again while a symbol of it is unknown, every 10 s at most", async (t) => {
  const { seen, want, hello, event, answer, lives } = streamOf(t);
  await want("A", "B");
  hello(["A"], { unknown: ["B"] });
  event("heartbeat");
  await want("A", "B");
  assert.equal(seen.posts.length, 0, "it was sent just now");
  await lives(10_500);
  await want("A", "B");
  assert.deepEqual(seen.posts.map(([, { symbols }]) => symbols), [["A", "B"]]);
  await answer(200);
  event("symbols", { rev: 1, symbols: ["A", "B"], unknown: [] });
  await lives(10_500);
  await want("A", "B");
  assert.equal(seen.posts.length, 1, "the stream has all of them");
});

test("a token that cannot be had is tried for again", async (t) => {
  let fails = true;
  const { seen, want, state, pass } = streamOf(t, { isNative: false, token: async () => { if (fails) throw new Error("no login"); return "t"; } });
  await want("A");
  assert.deepEqual(state(), { connection: "lost", reason: "token", retryIn: 1_500, detail: "no login" });
  fails = false;
  await pass(1_500);
  assert.equal(seen.asked.length, 1);
});

test("a token that cannot be had at a renewal ends nothing, and is asked for again before the old one ends", async (t) => {
  let fails = false;
  let tokens = 0;
  const token = async () => { tokens += 1; if (fails) throw new Error("no login"); return `t${tokens}`; };
  const { seen, want, answer, hello, lives, state } = streamOf(t, { isNative: true, token });
  await want("A");
  await answer(201, { ticket: "abc" });
  hello(["A"], { until: 100_000_000 });
  fails = true;
  await lives(75_000);
  assert.deepEqual([state().connection, seen.sources.length, seen.posts.length, tokens], ["live", 1, 0, 2]);
  await want("A", "B");
  assert.equal(seen.asked.at(-1).headers.authorization, "Bearer t1", "the old one is good still");
  await answer(200);
  fails = false;
  await lives(10_001);
  assert.deepEqual([seen.posts.length, seen.asked.at(-1).headers.authorization], [2, "Bearer t3"]);
});

test("a token function that does not answer is given up after 15 s, at the first stream and at a renewal, and asked again", async (t) => {
  t.mock.method(AbortSignal, "timeout", (millis) => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), millis);
    return abort.signal;
  });
  const never = new Promise(() => {});
  const given = [never, "t1", never, "t2"];
  let tokens = 0;
  const token = () => given[tokens++];
  const { seen, want, opens, answer, state, pass } = streamOf(t, { isNative: false, token, heartbeat: 60 });
  await want("A");
  await pass(14_000);
  assert.deepEqual([state().connection, tokens, seen.asked.length], ["connecting", 1, 0]);
  await pass(1_000);
  assert.deepEqual([state().connection, state().reason, state().retryIn], ["lost", "token", 1_500]);
  await pass(2_000);
  assert.deepEqual([tokens, seen.asked[0].headers.authorization], [2, "Bearer t1"]);
  const { write } = await opens();
  const until = (seen.time + 100_000) * 1_000;
  await write(`event: hello\ndata: ${JSON.stringify({ symbols: ["A"], unknown: [], control: "c", now: seen.time * 1_000, epoch: "e1", until })}\n\n`);
  await pass(70_000);
  assert.deepEqual([state().connection, tokens, seen.posts.length], ["live", 3, 0]);
  await write("event: heartbeat\ndata: {}\n\n");
  // The old one is good for 15 s more.
  await pass(15_000 + 7_500);
  assert.deepEqual([state().connection, tokens, seen.posts.length, seen.asked.at(-1).headers.authorization], ["live", 4, 1, "Bearer t2"]);
  await answer(200);
});

test("one token is asked for at a time", async (t) => {
  const given = [];
  const { stream, seen, want, hello, answer, pass, lives } = streamOf(t, { isNative: true, token: () => new Promise((resolve) => { given.push(resolve); }) });
  await want("A");
  await pass(15_000); // The attempt is given up, and another one begins.
  stream.hurry();
  await turned();
  assert.equal(given.length, 1);
  given[0]("t1");
  await turned();
  await answer(201, { ticket: "abc" });
  hello(["A"], { until: 1_000_000_000, now: 0 });
  const before = seen.asked.length;
  await lives(970_000);
  await want("A", "B");
  assert.deepEqual([given.length, seen.asked.length], [2, before], "a change beside the renewal waits for the same");
  given[1]("t2");
  await turned();
  assert.deepEqual(seen.asked.slice(before).map(({ headers }) => headers.authorization), ["Bearer t2"]);
});

test("an EventSource gets a ticket for each stream", async (t) => {
  const { seen, want, answer, last, hello, ends, pass, state } = streamOf(t, { token: "t" });
  await want("A");
  assert.deepEqual([seen.asked[0].url, seen.asked[0].method, seen.asked[0].headers.authorization], ["http://g/v1/tickets", "POST", "Bearer t"]);
  assert.equal(seen.sources.length, 0);
  await answer(201, { ticket: "abc", expires_in: 30 });
  assert.match(last().url, /&ticket=abc/);
  hello(["A"]);
  ends();
  await pass(1_500);
  await answer(201, { ticket: "def", expires_in: 30 });
  assert.match(last().url, /&ticket=def/);
  ends();
  await pass(3_000);
  await answer(429, problem("too-many-tickets"), { "retry-after": "9" });
  assert.deepEqual([state().reason, state().retryIn], ["too-many-tickets", 9_000]);
  await pass(9_000);
  await answer();
  assert.equal(state().reason, "ended");
});

test("a cookie goes along where the page says so", async (t) => {
  const { last, want, seen, hello } = streamOf(t, { credentials: "include" });
  await want("A");
  hello(["A"]);
  await want("B");
  assert.deepEqual([last().withCredentials, seen.asked[0].credentials, seen.asked[0].headers.authorization], [true, "include", undefined]);
});

test("a stream is renewed before its credentials end, with a new token", async (t) => {
  const start = 1_000_000_000; // ms, by the gateway's clock
  let tokens = 0;
  const { stream, seen, want, event, hello, pass, lives, answer } = streamOf(t, { token: () => `t${++tokens}`, isNative: true });
  await want("A", "B");
  await answer(201, { ticket: "abc" });
  await pass(5_000);
  hello(["A"], { now: start * 1_000, denied: ["B"], until: (start + 100_000) * 1_000 });
  const renewed = (count) => assert.equal(seen.posts.length, count);
  await lives(69_999);
  renewed(0);
  await pass(1);
  renewed(1);
  assert.deepEqual(seen.posts[0][1].symbols, ["A", "B"], "new rights may allow more");
  assert.equal(seen.asked.at(-1).headers.authorization, "Bearer t2");
  await answer(200);
  event("symbols", { rev: 1, symbols: ["A"], unknown: [], until: (start + 100_000) * 1_000 });
  await lives(14_999);
  renewed(1);
  await pass(1);
  renewed(2); // The token was the same one: perhaps there is a newer one by now.
  await answer(200);
  event("symbols", { rev: 2, symbols: ["A"], unknown: [], until: (start + 10_000_000_000) * 1_000 });
  stream.close();
  await pass(2 ** 31 - 1);
  renewed(2);
});

test("a stream that is closed stays closed, whatever is asked of it, and wherever it was closed", async (t) => {
  const { stream, seen, pass } = await carrying(t, "A");
  stream.close();
  stream.hurry();
  stream.set({ maxRate: 2 });
  stream.offline();
  await pass(60_000);
  assert.deepEqual([seen.sources.length, seen.states.at(-1).connection], [1, "live"]);
  for (const heard of ["connecting", "hello", "live", "symbols"]) {
    const { stream, seen, want, hello, event, pass } = streamOf(t);
    seen.heard = (name) => { if (name === heard) stream.close(); };
    await want("A");
    if (seen.sources.length > 0) {
      hello(["A", "B"], { until: 100_000_000 });
      if (heard === "symbols") event("symbols", { until: 90_000_000 });
    }
    const before = JSON.stringify(seen.states);
    await pass(200_000);
    assert.deepEqual([JSON.stringify(seen.states), seen.sources.length, seen.posts.length], [before, heard === "connecting" ? 0 : 1, heard === "symbols" ? 1 : 0], heard);
    assert.equal(seen.states.some(({ connection }) => connection === "live"), heard === "live" || heard === "symbols");
  }
});

test("the same symbols in another order are the same list", async (t) => {
  const { seen, want, hello } = streamOf(t);
  await want("B", "A");
  await want("C", "A");
  await want("A", "B");
  hello(["A", "B"]);
  await want("B", "A");
  assert.deepEqual([seen.posts, seen.sources.length], [[], 1]);
});

test("no event comes from a stream that is closed", async (t) => {
  const { stream, seen, want, opens } = streamOf(t, { isNative: false });
  await want("A");
  const { write } = await opens();
  seen.events.push = (...events) => { stream.close(); return Array.prototype.push.apply(seen.events, events); };
  await write('event: hello\ndata: {"symbols":["A"],"unknown":[],"now":0,"epoch":"e1"}\n\nid: 1\ndata: {}\n\ndata: {}\n\n');
  assert.equal(seen.events.length, 1, "the rest of the piece is dropped");
});

test("letters of several bytes that a chunk cuts stay whole", async (t) => {
  const { seen, want, opens } = streamOf(t, { isNative: false });
  await want("A");
  const { bytes } = await opens();
  const all = new TextEncoder().encode('event: heartbeat\ndata: {"now":0,"x":"é€😀"}\n\n');
  for (const byte of all) await bytes(Uint8Array.of(byte));
  assert.deepEqual(seen.events, [["heartbeat", { now: 0, x: "é€😀" }, ""]]);
});
