// The page's stream without a browser: its reconnects, its changes, its renewals.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Stream } from "../../src/api/page/stream.js";

/** A stream in a world of its own: what it opened, and what it said. */
function streamOf(t, random = 0) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const world = { sources: [], links: [], lists: [], posts: [], time: 0, answer: null, posted: { ok: true } };
  const stream = new Stream(
    { hello() {}, symbols: (list) => world.lists.push(list), tick() {}, heartbeat() {}, link: (link) => world.links.push(link) },
    {
      open(url) {
        const source = Object.assign(new EventTarget(), { url, readyState: 0, closed: false, close() { source.closed = true; } });
        world.sources.push(source);
        return source;
      },
      fetch: async () => world.answer,
      post: async (url, body) => {
        world.posts.push([url, JSON.parse(body)]);
        return world.posted;
      },
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
  return { stream, world, last, event, pass, link: () => world.links.at(-1) };
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

test("a list changes over the open stream, and over a new one where that fails", async (t) => {
  const { stream, world, last, event } = streamOf(t);
  const carries = (...symbols) => event("hello", { symbols, unknown: [], control: "c1" });
  stream.open(["A", "B"], null);
  stream.open(["A"], null);
  assert.equal(world.sources.length, 2, "before its hello a stream has no name to be changed by");
  carries("A");
  stream.open(["A", "C"], 4);
  stream.open(["C"], null);
  assert.deepEqual(world.posts, [
    ["/v1/streams/c1", { rev: 1, symbols: ["A", "C"], max_rate: 4 }],
    ["/v1/streams/c1", { rev: 2, symbols: ["C"], max_rate: null }],
  ]);
  event("symbols", { rev: 2, symbols: ["C"], unknown: [] });
  assert.deepEqual(world.lists, [{ rev: 2, symbols: ["C"], unknown: [] }]);
  carries("A");
  assert.deepEqual(world.posts[2], ["/v1/streams/c1", { rev: 3, symbols: ["C"], max_rate: null }], "a hello of another list");
  carries("C");
  assert.deepEqual([world.posts.length, world.sources.length], [3, 2]);
  world.posted = { ok: false, status: 404 };
  stream.open(["D"], null);
  await new Promise(setImmediate);
  assert.equal(world.sources.length, 3);
  assert.match(last().url, /symbols=D&/);
  event("error");
  stream.open(["E"], null);
  assert.deepEqual([world.posts.length, world.sources.length], [4, 4], "a lost stream is not changed");
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
    t.mock.timers.reset();
  }
});

test("an answer other than a stream ends it only if the request itself is wrong", async (t) => {
  const { stream, world, last, event, pass, link } = streamOf(t);
  const turned = () => new Promise((resolve) => setImmediate(resolve));
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
  assert.deepEqual(link(), { name: "ended", why: "none known", unknown: true });
  pass(60_000);
  assert.equal(world.sources.length, 3);
});
