// What the browser tests share: a gateway, a browser, a page of another origin, and waits that end.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { watchLog } from "./logs.mjs";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const targetDir = resolve(root, process.env.CARGO_TARGET_DIR ?? "target");
export const gatewayBinary = resolve(root, process.env.TEST_BINARY ?? join(targetDir, "debug/tickfan"));
const browserBinary = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** How long anything that a test waits for may take on a busy machine. */
export const WAIT = 30_000;
/** How long a whole test may take. */
export const TEST = { timeout: 120_000 };

/** The promise's value, or an error that says what did not come. `what` may be a function: it is asked at the end. */
export async function within(what, promise, millis = WAIT) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${millis} ms: ${typeof what === "function" ? what() : what}`)), millis);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A folder that is removed when the test ends. */
export function temporaryFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), "tickfan-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

// ---- processes

/** A process whose output is read line by line, and which does not outlive its test. */
export class Child {
  #watchers = new Set();
  lines = [];

  constructor(t, command, args, options = {}) {
    // A group of its own, so that what a shell starts ends with it.
    this.process = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true, ...options });
    this.exited = once(this.process, "exit").then(([code, signal]) => code ?? signal);
    this.exited.catch(() => {}); // Each waiter gets the error.
    for (const name of ["stdout", "stderr"]) {
      createInterface({ input: this.process[name] }).on("line", (line) => this.#heard(line, name));
    }
    t.after(() => this.kill());
  }

  #heard(text, from) {
    this.lines.push({ text, from });
    for (const watcher of this.#watchers) watcher();
  }

  text(from) {
    return this.lines.filter((line) => from === undefined || line.from === from).map(({ text }) => text).join("\n");
  }

  /** What `find` makes of the lines so far, as soon as it is something. An end before that is an error. */
  async until(what, find, millis = WAIT) {
    let watcher;
    const found = new Promise((found, failed) => {
      watcher = () => {
        try {
          const value = find(this.lines);
          if (value) found(value);
        } catch (error) {
          failed(error);
        }
      };
      this.#watchers.add(watcher);
      this.exited.then((code) => failed(new Error(`ended (${code}) before ${what}:\n${this.text()}`)), failed);
      watcher();
    });
    try {
      return await within(() => `${what}; so far:\n${this.text()}`, found, millis);
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  /** Ends all of it at once; no error if it has ended already. */
  async kill() {
    if (this.process.pid === undefined) return;
    try {
      process.kill(-this.process.pid, "SIGKILL");
    } catch {
      // None of it is left.
    }
    await this.exited;
  }
}

// ---- the gateway

/** A config in which no client counts as lagging: these tests do not measure how fast a busy machine's browser reads. */
export const PATIENT = { TICKFAN_FANOUT_MAX_LAG: "20s", TICKFAN_FANOUT_RING_AGE: "30s" };

/**
 * Starts the built gateway and waits until it serves. Its test fails if a line of its log gives something away. `listen` and `adminListen` are addresses; free ports without them. `config`
 * is TOML; the simulator without it. `descriptors` is how many it may have.
 */
export async function startGateway(t, { listen = "127.0.0.1:0", adminListen = "127.0.0.1:0", config = "", env = {}, descriptors } = {}) {
  if (!existsSync(gatewayBinary)) throw new Error(`${gatewayBinary} is not built: run cargo build`);
  const file = join(temporaryFolder(t), "tickfan.toml");
  writeFileSync(file, config);
  const args = ["--config", file, "--listen", listen, "--admin-listen", adminListen];
  const limited = ["-c", `ulimit -n ${descriptors} && exec "$0" "$@"`, gatewayBinary, ...args];
  const child = new Child(t, descriptors ? "bash" : gatewayBinary, descriptors ? limited : args, {
    env: { ...process.env, TICKFAN_LOG: "info", TICKFAN_LOG_FORMAT: "json", TICKFAN_SERVER_DRAIN: "200ms", ...env },
  });
  watchLog(t, child);
  const serving = await child.until("serving", (lines) => parsed(lines).find(({ message }) => message === "serving"));
  return {
    address: serving.listen,
    url: `http://${serving.listen}`,
    /** The port for https, if it has one. */
    tlsPort: serving.tls?.split(":").pop(),
    admin: serving.admin,
    /** What a kernel or a debugger does to it: SIGKILL, SIGSTOP, SIGCONT. */
    signal: (name) => child.process.kill(name),
    pid: child.process.pid,
    /** Replaces its configuration file, for a reload. */
    configure: (text) => writeFileSync(file, text),
    /** Asks it to stop, and returns its exit code. */
    async stop() {
      child.process.kill("SIGTERM");
      return within(() => `the gateway's end; so far:\n${child.text()}`, child.exited);
    },
  };
}

function parsed(lines) {
  return lines.flatMap(({ text }) => {
    try {
      return [JSON.parse(text)];
    } catch {
      return [];
    }
  });
}

// ---- the browser

/** Starts Chromium; `home` is a folder of its own for what it keeps beside its profiles. */
export async function launchBrowser({ home } = {}) {
  if (!existsSync(browserBinary)) throw new Error(`${browserBinary} is missing: apt-get install chromium, or set CHROMIUM`);
  return chromium.launch({
    executablePath: browserBinary,
    env: home ? { ...process.env, HOME: home } : process.env,
    args: [
      "--no-sandbox", // It does not work as root, and only pages of these tests are opened.
      "--disable-gpu",
      "--disable-quic",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** A page in a browser profile of its own. */
export async function newPage(t, browser, options = {}) {
  const context = await browser.newContext(options);
  t.after(() => context.close());
  context.setDefaultTimeout(WAIT);
  return context.newPage();
}

/** The address of an empty page that is of another origin than the gateway. */
export async function otherOrigin(t) {
  const server = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end('<!doctype html><link rel="icon" href="data:,"><title>a page of your own</title>');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${server.address().port}/`;
}

/** Keeps a screenshot where SCREENSHOTS names a folder. */
export async function keepScreenshot(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

// ---- Server-Sent Events, as the gateway writes them

/** The blocks of lines up to the last blank one: `{ event, id, data }`. */
export function eventBlocks(lines) {
  const blocks = [];
  let block = { event: "message" };
  for (const line of lines) {
    if (line === "") {
      blocks.push(block);
      block = { event: "message" };
      continue;
    }
    const colon = line.indexOf(": ");
    block[line.slice(0, colon)] = line.slice(colon + 2);
  }
  return blocks;
}
