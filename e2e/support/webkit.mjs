// WebKit, as WebKitGTK ships it, driven over WebDriver: what of Playwright's pages the tests of the client library use.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { within } from "./gateway.mjs";

const DRIVER = process.env.WEBKIT_DRIVER ?? "/usr/bin/WebKitWebDriver";
const XVFB = process.env.XVFB ?? "/usr/bin/Xvfb";

/** The browser beside the library, of the newest version. */
function miniBrowser() {
  for (const triplet of ["x86_64-linux-gnu", "aarch64-linux-gnu"].filter((name) => existsSync(join("/usr/lib", name)))) {
    const folder = readdirSync(join("/usr/lib", triplet)).filter((name) => /^webkit2?gtk-/.test(name)).sort().at(-1);
    const file = folder && join("/usr/lib", triplet, folder, "MiniBrowser");
    if (file && existsSync(file)) return file;
  }
  return undefined;
}

/** Why WebKit cannot be tested here; false if it can. */
export const lacksWebKit = () =>
  (!existsSync(DRIVER) || !existsSync(XVFB) || !miniBrowser()) && "WebKit is not installed: apt-get install webkit2gtk-driver xvfb";

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** A process that does not outlive the test. */
function child(t, command, args, options) {
  const started = spawn(command, args, { stdio: ["ignore", "pipe", "ignore"], ...options });
  t.after(async () => {
    if (started.exitCode !== null || started.signalCode !== null) return;
    started.kill();
    await once(started, "exit");
  });
  return started;
}

/** Starts it on a screen of its own, and returns what opens a profile: it has one. */
export async function startWebKit(t) {
  const screen = child(t, XVFB, ["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"]);
  const [number] = await within("a screen", once(screen.stdout, "data"));
  const port = await freePort();
  child(t, DRIVER, [`--port=${port}`], { env: { ...process.env, DISPLAY: `:${String(number).trim()}`, GDK_BACKEND: "x11", WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1", LIBGL_ALWAYS_SOFTWARE: "1" } });

  async function ask(method, path, body) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, body: body && JSON.stringify(body) });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${path}: ${value.error}: ${value.message}`);
    return value;
  }
  const isReady = () => ask("GET", "/status").then(() => true, () => false);
  await within("WebDriver", (async () => { while (!await isReady()) await pause(50); })());
  const { sessionId } = await ask("POST", "/session", {
    capabilities: { alwaysMatch: { "webkitgtk:browserOptions": { binary: miniBrowser(), args: ["--automation"] } } },
  });
  const session = `/session/${sessionId}`;
  t.after(() => ask("DELETE", session).catch(() => {}));

  // A command is for the window that was chosen last: one after the other.
  let turn = Promise.resolve();
  const inWindow = (handle, command) => {
    const asked = turn.then(async () => {
      await ask("POST", `${session}/window`, { handle });
      return command();
    });
    turn = asked.catch(() => {});
    return asked;
  };
  let isFirst = true;
  async function newPage() {
    const handle = isFirst ? await ask("GET", `${session}/window`) : (await ask("POST", `${session}/window/new`, { type: "tab" })).handle;
    isFirst = false;
    return {
      setDefaultTimeout() {},
      goto: (url) => inWindow(handle, () => ask("POST", `${session}/url`, { url })),
      close: () => inWindow(handle, () => ask("DELETE", `${session}/window`)),
      async evaluate(run, argument) {
        const script = `const done = arguments[1]; Promise.resolve().then(() => (${run})(arguments[0])).then(
          (value) => done({ value: value ?? null }), (error) => done({ error: String(error) }));`;
        const { value, error } = await inWindow(handle, () => ask("POST", `${session}/execute/async`, { script, args: [argument ?? null] }));
        if (error !== undefined) throw new Error(error);
        return value;
      },
    };
  }
  return async () => ({ newPage });
}
