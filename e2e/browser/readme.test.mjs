// The README's commands, its page and its configuration work as they stand, from a fresh clone.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { Child, eventBlocks, launchBrowser, newPage, root, targetDir, temporaryFolder, within } from "../support/gateway.mjs";
import { watchLog } from "../support/logs.mjs";

/** The README names them. */
const PORTS = [8080, 8081];
/** All packages may have to be compiled. */
const COMPILING = 1_500_000;
const SYMBOLS = ["AAPL", "BTC-USDT"];

/** The blocks of code, by section, as they are committed: that is what a clone gets. */
const SECTIONS = {
  "Quick start": ["sh", "sh", "sh"],
  "Build a page": ["html"],
  "Run it": ["toml"],
  "Load it": ["sh"],
};

function readReadme() {
  const readme = execFileSync("git", ["show", "HEAD:README.md"], { cwd: root, encoding: "utf8" });
  const blocks = {};
  for (const [heading, languages] of Object.entries(SECTIONS)) {
    const section = sectionOf(readme, heading);
    const found = [...section.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, code]) => ({ language, code }));
    assert.deepEqual(found.map(({ language }) => language), languages, `the blocks under ${heading}`);
    blocks[heading] = found.map(({ code }) => code);
  }
  const links = [...sectionOf(readme, "Venues").matchAll(/\[([a-z0-9-]+)\]\(docs\/[a-z0-9/-]+\.md\)/g)];
  assert.ok(links.length > 1, "the README lists venues");
  return { readme, blocks, venues: links.map(([, venue]) => venue) };
}

/** What stands between this heading and the next of its level. */
function sectionOf(readme, heading) {
  const start = readme.indexOf(`\n## ${heading}\n`);
  assert.ok(start >= 0, `the README has a section ${heading}`);
  return readme.slice(start + `\n## ${heading}\n`.length).split("\n## ")[0];
}

async function assertFree(port) {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  await once(server, "listening").catch((error) => {
    throw new Error(`the README's commands need port ${port}, which cannot be had: ${error.message}`);
  });
  server.close();
  await once(server, "close");
}

/**
 * A clone in a folder that is always the same: cargo keeps what it built by path, and would keep it for ever. scripts/test
 * may have made and built it already.
 */
function freshClone(t) {
  const folder = join(targetDir, "readme");
  const git = (...command) => execFileSync("git", ["-C", folder, ...command], { encoding: "utf8" }).trim();
  const head = execFileSync("git", ["rev-parse", "HEAD"], { cwd: root, encoding: "utf8" }).trim();
  const isFresh = () => existsSync(join(folder, ".git")) && git("rev-parse", "HEAD") === head && git("status", "--porcelain") === "";
  const remove = () => rmSync(folder, { recursive: true, force: true });
  if (!isFresh()) {
    remove();
    execFileSync("git", ["clone", "--quiet", root, folder]);
  }
  t.after(remove);
  return folder;
}

/** The process id of the gateway among the descendants of `pid`: a shell and cargo may stand between. */
function gatewayBelow(pid) {
  const read = (path) => {
    try {
      return readFileSync(path, "utf8").trim();
    } catch {
      return ""; // It has just ended.
    }
  };
  if (read(`/proc/${pid}/comm`) === "tickfan") return pid;
  const children = read(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
  return children.map(gatewayBelow).find(Boolean);
}

test("the README has fewer than 1,000 words", () => {
  const words = readReadme().readme.split(/\s+/).filter(Boolean).length;
  assert.ok(words < 1_000, `${words} words`);
});

test("the README's commands and its page of your own show prices", { timeout: COMPILING + 120_000 }, async (t) => {
  const { blocks, venues } = readReadme();
  const [start, watch, everything] = blocks["Quick start"];
  const [html] = blocks["Build a page"];
  assert.equal(everything, "scripts/test\n", "this test is a part of it, and cannot run it");
  assert.match(blocks["Load it"][0], /tickfan-loadtest run smoke\n$/, "scripts/test runs it");
  for (const port of PORTS) await assertFree(port);

  const clone = freshClone(t);
  const shell = new Child(t, "bash", ["-e", "-c", start], {
    cwd: clone,
    env: withoutSettings({ CARGO_TARGET_DIR: targetDir, NO_COLOR: "1" }),
  });
  watchLog(t, shell);
  await shell.until("the gateway serves", (lines) => lines.some(({ text }) => /serving\b.*127\.0\.0\.1:8080/.test(text)), COMPILING);
  const gateway = gatewayBelow(shell.process.pid);
  assert.ok(gateway, "no process named tickfan");
  accessSync(join(clone, "scripts/test"), constants.X_OK);
  checkConfigurations(temporaryFolder(t), blocks["Run it"], venues);

  const curl = new Child(t, "bash", ["-e", "-c", watch]);
  await curl.until("ticks of both symbols", (lines) => {
    const ticks = eventBlocks(lines.filter(({ from }) => from === "stdout").map(({ text }) => text))
      .filter(({ event }) => event === "message").map(({ data }) => JSON.parse(data));
    return SYMBOLS.every((symbol) => ticks.some((tick) => tick.symbol === symbol && tick.seq > 1 && tick.origin === "sim"));
  });

  const browser = await launchBrowser();
  t.after(() => browser.close());
  const own = join(temporaryFolder(t), "prices.html");
  writeFileSync(own, html);
  const page = await newPage(t, browser);
  await page.goto(`file://${own}`);
  await shows(page, "live");
  const before = await page.textContent("pre");
  await page.waitForFunction((before) => document.querySelector("pre").textContent !== before, before);
  await seePage(await newPage(t, browser));

  await curl.kill();
  process.kill(gateway, "SIGTERM");
  // Of the shell, whose last command the gateway was.
  assert.equal(await within(() => `the gateway's end: ${shell.text()}`, shell.exited), 0, shell.text());
  await shows(page, "lost");
  for (const port of PORTS) await assertFree(port);
});

/** The README's configurations are valid, and its list of venues names those that the program knows. */
function checkConfigurations(folder, configurations, venues) {
  const program = join(targetDir, "release/tickfan");
  const file = join(folder, "tickfan.toml");
  const check = (configuration) => {
    writeFileSync(file, configuration);
    const env = withoutSettings({ ALPACA_KEY: "key", ALPACA_SECRET: "secret", NO_COLOR: "1" });
    return spawnSync(program, ["check", "--config", file], { encoding: "utf8", env });
  };
  for (const configuration of configurations) {
    const { status, stdout, stderr } = check(configuration);
    assert.equal(status, 0, `${configuration}: ${stdout}${stderr}`);
  }
  const { status, stdout, stderr } = check('[[feed]]\nvenue = "nonesuch"\n');
  assert.equal(status, 64, stdout + stderr);
  const line = (stdout + stderr).split("\n").find((line) => venues.every((venue) => line.includes(venue)));
  assert.ok(line, `${venues} are not all among the venues: ${stdout}${stderr}`);
  const known = line.split(/\bare\b|:/).at(-1).split(/,\s*|\s+(?:or|and)\s+/).map((name) => name.replaceAll("`", "").trim());
  assert.deepEqual(known.sort(), venues.sort());
}

/** The environment without what would configure the gateway: a newcomer has none of it. */
function withoutSettings(added) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("TICKFAN_"));
  return { ...Object.fromEntries(kept), ...added };
}

/** Waits until the newcomer's page has prices of both symbols, in this state. */
const shows = (page, state) => page.waitForFunction(({ symbols, state }) => {
  const lines = document.querySelector("pre").textContent.split("\n");
  return lines.length === symbols.length && symbols.every((symbol) => lines.some((line) => new RegExp(`^${symbol}( [\\d.]+){3} ${state}$`).test(line)));
}, { symbols: SYMBOLS, state });

async function seePage(page) {
  await page.goto("http://127.0.0.1:8080/");
  const cell = page.locator("td.last", { hasText: /\d/ }).first();
  const before = await cell.textContent();
  await page.waitForFunction((before) => document.querySelector("td.last").textContent !== before, before);
}
