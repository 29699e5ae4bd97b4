// The look at every gateway's log: what it finds, and that it fails the gateway's test.

import assert from "node:assert/strict";
import test from "node:test";
import { Child } from "../support/gateway.mjs";
import { secretIn, watchLog } from "../support/logs.mjs";
import { read } from "./files.mjs";

test("a line that gives something away is found, and no other", () => {
  const lines = read("tests/fixtures/log_lines.txt").trimEnd().split("\n");
  assert.ok(lines.length > 15);
  for (const line of lines) {
    const [, kind, text] = line.match(/^(secret|fine): (.*)$/);
    assert.equal(secretIn(text) !== undefined, kind === "secret", line);
  }
});

test("a test fails whose process logs what it must not", async () => {
  for (const [line, isFound] of [["a stream began symbols=2", false], ["a request path=/v1/stream?symbols=AAPL", true]]) {
    const hooks = [];
    const inner = { after: (hook) => hooks.push(hook) };
    const child = new Child(inner, "bash", ["-c", 'echo "$0" >&2; echo done; exec sleep 60', line]);
    watchLog(inner, child);
    await child.until("done", (lines) => lines.length > 1);
    const ends = async () => {
      for (const hook of hooks) await hook();
    };
    if (isFound) await assert.rejects(ends, /the log gives something away/);
    else await ends();
  }
});
