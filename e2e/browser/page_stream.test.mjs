// The page's stream without a browser: its reconnects, its changes, its renewals.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Stream } from "../../src/api/page/stream.js";

/** A stream in a world of its own: what it opened, and what it said. */
function streamOf(t, random = 0) {
  t.mock.timers.reset();
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const world = { sources: [], links: [], lists: [], told: [], posts: [], time: 0, answer: null };
  const pending = [];
  const stream = new Stream(
    {
      hello() {}, symbols: (list) => world.lists.push(list), tick() {}, heartbeat() {},
      waits: ({ detail }) => world.told.push(detail), link: (link) => world.links.push(link),
    },
    {
      open(url) {
        const source = Object.assign(new EventTarget(), { url, readyState: 0, closed: false, close() { source.closed = true; } });
        world.sources.push(source);
        return source;
      },
      fetch: async () => world.answer,
      post: (url, body) => new Promise((...settle) => {
        world.posts.push([url, JSON.parse(body)]);
        pending.push(settle);
      }),
      now: () => world.time,
      random: () => random,
    },
  );
  const last = () => world.sources.at(-1);
  const event = (name, data = name === "hello" ? { symbols: [], unknown: [] } : {}, lastEventId = "") =>
    last().dispatchEvent(Object.assign(new Event(name), { data: JSON.stringify(data), lastEventId }));
  const pass = (millis) => {
    world.time += millis;
    t.mock.timers.tick(millis);
  };
  /** Answers the oldest change; `undefined` as status: it fails. */
  const answer = async (status, problem, after) => {
    const [resolve, reject] = pending.shift();
    const headers = new Headers(after === undefined ? {} : { "retry-after": after });
    const json = async () => problem ?? JSON.parse("<html>");
    if (status === undefined) reject(new TypeError("failed"));
    else resolve({ status, headers, json });
    await turned();
  };
  return { stream, world, last, event, pass, answer, link: () => world.links.at(-1) };
}

const turned = () => new Promise(setImmediate);
/** Begins a stream of these symbols. */
function carrying(t, ...symbols) {
  const opened = streamOf(t);
  opened.stream.open(symbols, null);
  opened.event("hello", { symbols, unknown: [], control: "c1" });
  return opened;
}

test("a lost stream comes back after a wait that it tells, from where it was", (t) => {
  const { stream, world, last, event, pass, link } = streamOf(t);
  stream.open(["A", "B"], 4);
  assert.equal(last().url, "/v1/stream?symbols=A,B&heartbeat=5&max_rate=4");
  event("hello");
  event("message", {}, "e1-7");
  event("error");
  assert.deepEqual(link(), { name: "reconnecting", at: 1_500, why: "" });
  pass(1_499);
  assert.equal(world.sources.length, 1);
  pass(1);
  assert.equal(world.sources.length, 2);
  assert.match(last().url, /&last_event_id=e1-7$/);
  assert.ok(world.sources[0].closed);
  event("error");
  assert.equal(link().at - world.time, 3_000, "twice as long after the second failure");
  event("hello");
  stream.hurry();
  assert.equal(world.sources.length, 3, "who does not want to wait does not");
  event("hello");
  event("bye", { reason: "busy" });
  event("error");
  assert.deepEqual([link().why, link().at - world.time], ["gateway busy", 5_000]);
  stream.close();
  pass(60_000);
  assert.equal(world.sources.length, 3, "a closed stream stays closed");
});

test("a list changes over the open stream, one change at a time, and the newest one goes next", async (t) => {
  const { stream, world, event, answer } = streamOf(t);
  stream.open(["A", "B"], null);
  stream.open(["A"], null);
  assert.equal(world.sources.length, 2, "before its hello a stream has no name to be changed by");
  event("hello", { symbols: ["A"], unknown: [], control: "c1" });
  stream.open(["A", "C"], 4);
  stream.open(["D"], 4);
  stream.open(["C"], null);
  const first = ["/v1/streams/c1", { rev: 1, symbols: ["A", "C"], max_rate: 4 }];
  assert.deepEqual(world.posts, [first]);
  event("symbols", { rev: 1, symbols: ["A", "C"], unknown: [] });
  assert.deepEqual(world.posts, [first], "its answer is still to come");
  await answer(200);
  assert.deepEqual(world.posts, [first, ["/v1/streams/c1", { rev: 2, symbols: ["C"], max_rate: null }]]);
  event("symbols", { rev: 2, symbols: ["C"], unknown: [] });
  await answer(200);
  assert.deepEqual(world.lists.map(({ rev }) => rev), [1, 2]);
  assert.deepEqual([world.posts.length, world.sources.length], [2, 2]);
  event("error");
  stream.open(["E"], null);
  assert.deepEqual([world.posts.length, world.sources.length], [2, 3], "a lost stream is not changed");
});

test("a hello of another list has the stream changed; symbols that it does not carry are told too", async (t) => {
  const { world, event, answer } = carrying(t, "A", "B", "C");
  assert.deepEqual(world.posts, []);
  event("hello", { symbols: ["A"], unknown: ["B"], denied: ["C"], control: "c1" });
  assert.deepEqual(world.posts, [], "of B and C there is nothing to carry");
  event("hello", { symbols: ["A"], unknown: ["B"], control: "c1" });
  assert.deepEqual(world.posts, [["/v1/streams/c1", { rev: 1, symbols: ["A", "B", "C"], max_rate: null }]]);
  await answer(200);
  event("hello", { symbols: ["A", "B", "C", "D"], unknown: [], control: "c1" });
  assert.equal(world.posts[1][1].rev, 2, "the same stream");
});

test("a change that comes too soon, or to a busy gateway, is sent again later over the same stream", async (t) => {
  const { stream, world, pass, answer, link } = carrying(t, "A");
  stream.open(["A", "B"], null);
  const waits = async (status, problem, after, millis) => {
    const before = world.posts.length;
    await answer(status, problem, after);
    pass(millis - 1);
    assert.equal(world.posts.length, before, `${status} ${after}`);
    pass(1);
    assert.equal(world.posts.length, before + 1, `${status} ${after}`);
  };
  await waits(429, { detail: "too soon" }, 1, 1_000);
  stream.open(["B"], null);
  await waits(503, { detail: "busy" }, 1, 2_000);
  assert.deepEqual(world.posts.map(([, { rev, symbols }]) => [rev, ...symbols]), [[1, "A", "B"], [2, "A", "B"], [3, "B"]]);
  await waits(503, undefined, undefined, 4_000);
  await waits(429, { detail: "full" }, 10, 30_000);
  await waits(429, { detail: "full" }, 60, 60_000);
  assert.deepEqual(world.told, ["too soon", "busy", undefined, "full", "full"]);
  await answer(200);
  stream.open(["C"], null);
  await waits(429, { detail: "again" }, 1, 1_000);
  assert.deepEqual([world.sources.length, link().name], [1, "live"]);
  stream.close();
  await answer(429, { detail: "again" }, 1);
  pass(60_000);
  assert.equal(world.posts.length, 8, "a closed stream is not changed");
  const other = carrying(t, "A");
  other.stream.open(["B"], null);
  await other.answer(429, { detail: "again" }, 1);
  other.stream.close();
  other.pass(60_000);
  assert.equal(other.world.posts.length, 1, "nor one that is closed while a change waits");
});

test("a change that nothing will come of opens a new stream", async (t) => {
  for (const answered of [[404, { type: "no-such-stream" }], [409, {}], [413, {}], [400, {}], [502, undefined], []]) {
    const { stream, world, last, answer } = carrying(t, "A");
    stream.open(["B"], null);
    stream.open(["D"], null);
    await answer(...answered);
    assert.deepEqual([world.sources.length, world.posts.length], [2, 1], `${answered}`);
    assert.match(last().url, /symbols=D&/);
  }
});

test("a change whose credentials do not count ends the stream, and says that a sign-on is needed", async (t) => {
  for (const [status, problem, told] of [
    [401, { detail: "Sign on" }, { name: "signed-out" }],
    [401, undefined, { name: "signed-out" }],
    [403, { detail: "not yours" }, { name: "ended", why: "not yours", absent: "denied" }],
  ]) {
    const { stream, world, pass, answer, link } = carrying(t, "A");
    stream.open(["B"], null);
    await answer(status, problem);
    assert.deepEqual(link(), told);
    assert.ok(world.sources[0].closed);
    pass(60_000);
    assert.equal(world.sources.length, 1, "it waits for the person");
    stream.hurry();
    assert.equal(world.sources.length, 2);
  }
});

test("a stream is renewed before its credentials end, once for each end", async (t) => {
  const { stream, world, event, pass, answer } = streamOf(t);
  const start = 1_000_000_000; // ms, by the gateway's clock
  stream.open(["A", "B"], null);
  pass(5_000);
  event("hello", { now: start * 1_000, symbols: ["A"], unknown: [], denied: ["B"], control: "c1", until: (start + 60_000) * 1_000 });
  const renewed = (count) => assert.equal(world.posts.length, count);
  pass(44_999);
  renewed(0);
  pass(1);
  renewed(1);
  assert.deepEqual(world.posts[0][1], { rev: 1, symbols: ["A", "B"], max_rate: null }, "new rights may allow more");
  await answer(200);
  event("symbols", { rev: 1, symbols: ["A"], unknown: [], denied: ["B"], until: (start + 60_000) * 1_000 });
  pass(10_000);
  renewed(1); // The credentials are the same.
  event("symbols", { rev: 2, symbols: ["A"], unknown: [], denied: ["B"], until: (start + 160_000) * 1_000 });
  pass(89_999);
  renewed(1);
  pass(1);
  renewed(2);
  await answer(200);
  event("symbols", { rev: 3, symbols: ["A", "B"], unknown: [], denied: [], until: (start + 10_000_000_000) * 1_000 });
  pass(2 ** 31 - 2);
  renewed(2); // A browser's timer takes no more.
  pass(1);
  renewed(3);
  event("symbols", { rev: 4, symbols: ["A", "B"], unknown: [], denied: [], until: (start + 10_000_000_000) * 1_000 });
  stream.close();
  pass(2 ** 31 - 1);
  renewed(3);
});

test("a silent stream is stale, then given up", (t) => {
  const { stream, world, event, pass, link } = streamOf(t);
  const look = (millis) => {
    pass(millis);
    stream.look();
    return link().name;
  };
  stream.open(["A"], null);
  event("hello");
  assert.equal(look(8_000), "live");
  assert.equal(look(1), "stale");
  assert.equal(look(7_999), "stale");
  assert.equal(look(1), "reconnecting");
  pass(1_500);
  assert.equal(world.sources.length, 2);
});

test("the first event after a silence opens a new stream, which brings the newest tick of each symbol", (t) => {
  for (const heard of ["heartbeat", "message", "bye"]) {
    const { stream, world, last, event, pass, link } = streamOf(t);
    stream.open(["A"], null);
    pass(8_001);
    stream.look();
    event("hello"); // All of this one is still to come.
    assert.equal(link().name, "live");
    event("message", {}, "e1-7");
    pass(8_001);
    stream.look();
    assert.deepEqual([link().name, world.sources.length], ["stale", 1]);
    event(heard, {}, heard === "message" ? "e1-9" : "");
    assert.deepEqual([link().name, world.sources.length], ["stale", 2], heard);
    assert.ok(world.sources[0].closed);
    assert.match(last().url, /&last_event_id=e1-7$/, "what was not taken comes again");
    event("hello");
    assert.equal(link().name, "live");
    event("heartbeat", { now: 1 });
    assert.equal(world.sources.length, 2);
  }
});

test("an answer other than a stream ends it only if the request itself is wrong", async (t) => {
  const { stream, world, last, event, pass, link } = streamOf(t);
  const fail = async (answer) => {
    world.answer = answer;
    last().readyState = 2;
    event("error");
    await turned();
  };
  stream.open(["A"], null);
  await fail({ status: 503 });
  assert.equal(link().name, "reconnecting");
  pass(1_500);
  await fail(null);
  assert.equal(link().name, "reconnecting");
  pass(3_000);
  await fail({ status: 404, json: async () => ({ detail: "none known" }) });
  assert.deepEqual(link(), { name: "ended", why: "none known", absent: "unknown" });
  pass(60_000);
  assert.equal(world.sources.length, 3);
  stream.hurry();
  await fail({ status: 403, json: async () => ({ detail: "not yours" }) });
  assert.deepEqual(link(), { name: "ended", why: "not yours", absent: "denied" });
  stream.hurry();
  await fail({ status: 401, json: async () => JSON.parse("<html>") });
  assert.deepEqual(link(), { name: "signed-out" });
});
