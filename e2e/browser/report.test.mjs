// The report of the load tester in a browser: whole, readable, and all in one file.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { Child, TEST, keepScreenshot, launchBrowser, newPage, targetDir, temporaryFolder } from "../support/gateway.mjs";

const PLOTS = 8;
const SCENARIO = `
about = "a few clients"
duration = "4s"
[venue]
symbols = 3
load = { steady = { rate = 100 } }
[[group]]
name = "few"
count = 10
symbols = 2
[thresholds]
violations = 0
ticks = 1000000
latency_p99 = "10s"
[[outage]]
at = "2s"
lasts = "500ms"
`;

let browser;
before(async () => { browser = await launchBrowser(); });
after(() => browser?.close());

/** Each plot's lines, and the labels of which two lie on each other. */
function looks() {
  const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  return [...document.querySelectorAll("figure")].map((figure) => {
    const labels = [...figure.querySelectorAll("svg > text")].map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }));
    const drawn = [...figure.querySelectorAll("polyline")].map((line) => line.getBoundingClientRect());
    const svg = figure.querySelector("svg").getBoundingClientRect();
    return {
      title: figure.querySelector("figcaption").textContent,
      lines: drawn.filter(({ width }) => width > svg.width / 3).length,
      outside: labels.filter(({ box }) => box.left < svg.left || box.right > svg.right || box.bottom > svg.bottom + 1).map(({ text }) => text),
      overlapping: labels.flatMap((a, i) => labels.slice(i + 1).filter((b) => overlap(a.box, b.box)).map((b) => [a.text, b.text])),
    };
  });
}

/** The pointer over a plot shows the values of its place, and nothing else is shown. */
async function valuesAtThePointer(page) {
  const plot = page.locator("figure").filter({ hasText: "Ticks per second" });
  const shown = plot.locator("g.at text").filter({ visible: true });
  await page.locator("h1").hover();
  assert.equal(await shown.count(), 0);
  await plot.locator("g.at rect").nth(2).hover();
  assert.equal(await shown.count(), 1);
  assert.match(await shown.textContent(), /^\d+ s: read [\d,.]+, missed [\d,.]+$/);
}

test("the report of a run is one file whose plots can be read, wide and narrow", TEST, async (t) => {
  const folder = temporaryFolder(t);
  const [scenario, report] = ["few.toml", "report.html"].map((name) => join(folder, name));
  writeFileSync(scenario, SCENARIO);
  const run = new Child(t, join(targetDir, "debug/tickfan-loadtest"), ["run", scenario, "--html", report]);
  assert.equal(await run.exited, 99, run.text());
  for (const [width, colorScheme] of [[1400, "light"], [360, "dark"]]) {
    const page = await newPage(t, browser, { viewport: { width, height: 900 }, colorScheme });
    const seen = [];
    page.on("request", (request) => seen.push(request.url()));
    for (const wrong of ["console", "pageerror"]) page.on(wrong, (what) => seen.push(String(what.text?.() ?? what)));
    const address = pathToFileURL(report).href;
    await page.goto(address);
    await keepScreenshot(page, `report-${width}`);
    assert.deepEqual(seen, [address], "it needs nothing else");
    assert.match(await page.textContent("h1"), /failed/);
    assert.match(await page.textContent(".bad"), /ticks is [\d,]+; the threshold is at least 1,000,000/);
    assert.match(await page.textContent("pre"), /made .* run .*few\.toml[\s\S]*\[\[group\]\]\n\s+name = "few"/, "it can be repeated");
    const marks = await page.locator("figure").first().locator("rect.outage, line.limit").count();
    assert.equal(marks, 2, "an outage and a threshold");
    const plots = await page.evaluate(looks);
    assert.equal(plots.length, PLOTS);
    for (const { title, lines, outside, overlapping } of plots) {
      assert.ok(lines > 0, `${title} has no line`);
      assert.deepEqual({ outside, overlapping }, { outside: [], overlapping: [] }, title);
    }
    await valuesAtThePointer(page);
    const scrolls = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(scrolls <= 0, `the page is ${scrolls} px too wide`);
  }
});
