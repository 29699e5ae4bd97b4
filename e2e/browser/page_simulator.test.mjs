// The states of a scripted simulator, as the page shows them to those who build against it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TEST, launchBrowser, startGateway } from "../support/gateway.mjs";
import { NARROW, open } from "../support/page.mjs";

let browser;
before(async () => { browser = await launchBrowser(); });
after(() => browser?.close());

/** A feed for each event, so that none hides another's state. All but the refusal happens again every few seconds. */
const EVENTS = {
  HALT: [{ do: "halt", symbol: "HALT", lasts: "2s" }, ["halted: news", "live"]],
  RESUME: [{ do: "halt", symbol: "RESUME" }, ["halted: news", "live"], { do: "resume", symbol: "RESUME" }],
  CLOSE: [{ do: "close", symbol: "CLOSE", lasts: "2s" }, ["closed: outside hours", "stale: opening", "live"]],
  // For good: a feed that is refused again and again waits ever longer before it asks.
  REFUSE: [{ do: "refuse", symbol: "REFUSE", every: null }, ["refused: not granted"]],
  BREAK: [{ do: "break", lasts: "1s" }, ["stale: connection lost", "live"]],
  MUTE: [{ do: "mute", lasts: "3s" }, ["stale: mute", "live"]],
  GAP: [{ do: "gap" }, ["stale: gap", "live"]],
};

function entry(at, event) {
  const fields = Object.entries({ at, every: "6s", ...event }).filter(([, value]) => value).map(([key, value]) => `${key} = "${value}"`);
  return ["[[feed.event]]", ...fields];
}

/** A feed of one symbol, slow enough that no state passes unseen. */
function feed([symbol, [event, , end]]) {
  const head = ["[[feed]]", `name = "${symbol.toLowerCase()}"`, 'venue = "sim"', `symbols = ["${symbol}"]`, "rate = 2", 'mute_after = "1s"'];
  return [...head, ...entry("100ms", event), ...(end ? entry("2s", end) : []), ""].join("\n");
}

/** Keeps what each row says, in this order, as long as its row and the header say that it is simulated. */
const keepStates = () => addEventListener("DOMContentLoaded", () => {
  window.said = {};
  new MutationObserver(() => {
    const origin = document.getElementById("origin");
    for (const line of document.querySelectorAll("#watchlist tbody tr")) {
      const state = line.querySelector("td.state");
      const said = window.said[line.dataset.symbol] ??= [];
      const cut = state.scrollWidth > state.clientWidth ? " (cut off)" : "";
      const marked = origin.textContent === "simulated prices" && line.querySelector(".badge").textContent === "sim";
      const text = marked && line.checkVisibility() && !origin.hidden ? state.textContent + cut : `${state.textContent} (not marked)`;
      if (state.textContent !== "" && said.at(-1) !== text) said.push(text);
    }
  }).observe(document.documentElement, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ["data-state", "hidden"] });
});

for (const viewport of [{ width: 1280, height: 800 }, NARROW]) {
  test(`each scripted state is shown whole, and as simulated, at ${viewport.width} px`, TEST, async (t) => {
    const gateway = await startGateway(t, { config: Object.entries(EVENTS).map(feed).join("") });
    const { page, complaints } = await open(t, browser, "about:blank", { viewport });
    await page.addInitScript(keepStates);
    await page.goto(gateway.url);
    const wanted = Object.fromEntries(Object.entries(EVENTS).map(([symbol, [, states]]) => [symbol, states]));
    /** Its states came in this order, whatever came between. */
    const seen = page.waitForFunction((wanted) => Object.entries(wanted).every(([symbol, states]) => {
      let place = 0;
      for (const text of window.said[symbol] ?? []) if (text === states[place]) place += 1;
      return place === states.length;
    }), wanted);
    await seen.catch(async (error) => {
      throw new Error(JSON.stringify(await page.evaluate(() => window.said)), { cause: error });
    });
    const said = await page.evaluate(() => window.said);
    assert.deepEqual(Object.entries(said).filter(([, all]) => all.some((text) => text.includes("cut off"))), []);
    // Before its first price a row has no origin.
    const unmarked = Object.values(said).flat().filter((text) => /^(?!waiting).+ \(not marked\)$/.test(text));
    assert.deepEqual(unmarked, []);
    assert.deepEqual(complaints, []);
  });
}
