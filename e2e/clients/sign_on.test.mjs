// curl signs on with a bearer token: its stream is renewed, loses rights, ends with the token, and goes on with the next one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Child, TEST, eventBlocks, within } from "../support/gateway.mjs";
import { NEARLY_OVER, OVER, PATH, SYMBOLS, assertCarried, assertNoHole, hasTicked, startSite } from "../support/sign_on.mjs";

for (const version of ["--http2", "--http1.1"]) {
  test(`curl ${version} signs on`, TEST, async (t) => {
    const { url, issuer, ca } = await startSite(t, { late: true });
    const token = (...live) => issuer.token("curl", live);
    const curl = (token, path, ...args) => new Child(t, "curl", ["--silent", "--show-error", "--no-buffer", version, "--cacert", ca,
      "--header", `authorization: Bearer ${token}`, ...args, url + path]);
    /** The status and kind of an answer that is not a stream. */
    const ask = async (token, path, ...args) => {
      const child = curl(token, path, ...args, "--write-out", "\\n%{http_code}");
      assert.equal(await within("an answer", child.exited), 0, child.text());
      const [body, status] = child.lines.filter(({ text }) => text !== "").map(({ text }) => JSON.parse(text));
      return [status, body.type?.split(":").at(-1)];
    };
    const change = (token, control, rev) => ask(token, `/v1/streams/${control}`, "--request", "POST",
      "--json", JSON.stringify({ rev, symbols: SYMBOLS }));
    const events = (child) => eventBlocks(child.lines.map(({ text }) => text)).map(({ event, data, id }) => ({ name: event, data, id }));
    const next = (child, name, count = 1) => child.until(name, () => {
      const found = events(child).filter((event) => event.name === name);
      return found.length === count && JSON.parse(found.at(-1).data);
    });
    const ticks = (child) => child.until("ticks", () => hasTicked(events(child)));

    const over = issuer.token("curl", SYMBOLS, OVER);
    assert.deepEqual(await ask(over, PATH), [401, "expired-token"]);
    assert.deepEqual(await ask(token("DOGE-USDT"), PATH), [403, "not-entitled"]);
    const first = curl(token("AAPL"), PATH);
    const { control } = await next(first, "hello");
    await ticks(first);
    assert.deepEqual(await change(over, control, 1), [401, "expired-token"]);
    assert.deepEqual(await change(issuer.token("another", SYMBOLS), control, 1), [404, "no-such-stream"]);
    assert.deepEqual(await change(token("AAPL", "MSFT"), control, 1), [200, undefined]);
    await next(first, "symbols");
    await ticks(first);
    // Live prices of AAPL become delayed ones.
    assert.deepEqual(await change(issuer.token("curl", ["MSFT"], 600, ["*"]), control, 2), [200, undefined]);
    assert.deepEqual((await next(first, "symbols", 2)).delayed, ["AAPL"]);
    await ticks(first);
    assert.deepEqual(await change(issuer.token("curl", ["MSFT"], NEARLY_OVER), control, 3), [200, undefined]);
    await next(first, "symbols", 3);
    assert.deepEqual(await next(first, "bye"), { reason: "expired" });
    assert.equal(await within("the stream's end", first.exited), 0);

    const seen = events(first);
    const last = seen.findLast(({ name }) => name === "message").id;
    const second = curl(token("MSFT", "BTC-USDT"), PATH, "--header", `last-event-id: ${last}`);
    await next(second, "hello");
    await ticks(second);
    const all = [...seen, ...events(second)];
    assertCarried(all, [
      ["hello", "AAPL"], ["symbols", "AAPL", "MSFT"], ["symbols", "AAPL", "MSFT"], ["symbols", "MSFT"], ["hello", "MSFT", "BTC-USDT"],
    ]);
    assertNoHole(all, "MSFT");
  });
}
