// The package as a user gets it: its weight, its shape, its types, from `npm pack` in an empty folder.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = fileURLToPath(new URL("..", import.meta.url));
const WEIGHT_MAX = 6 * 1_024;

function run(folder, command, ...args) {
  try {
    return execFileSync(command, args, { cwd: folder, encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    return assert.fail(`${command} ${args.join(" ")}: ${error.stdout}${error.stderr}`);
  }
}

/** An empty folder into which the package was installed. */
function installed(t) {
  const folder = mkdtempSync(join(tmpdir(), "tickfan-js-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const packed = JSON.parse(run(here, "npm", "pack", "--json", "--pack-destination", folder));
  const [{ filename, files }] = Array.isArray(packed) ? packed : Object.values(packed);
  writeFileSync(join(folder, "package.json"), '{"private":true,"type":"module"}');
  run(folder, "npm", "install", "--offline", "--no-audit", "--no-fund", join(folder, filename));
  return { folder, filename, files: files.map(({ path }) => path).sort() };
}

test("the package is small, well formed, without dependencies, and works from an empty folder", (t) => {
  const { folder, filename, files } = installed(t);
  assert.deepEqual(files, ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "dist/tickfan.js", "index.d.ts", "package.json"]);
  const weight = gzipSync(readFileSync(join(here, "dist/tickfan.js")), { level: 9 }).length;
  t.diagnostic(`${weight} bytes gzipped`);
  assert.ok(weight <= WEIGHT_MAX, `${weight} bytes gzipped; ${WEIGHT_MAX} are allowed`);
  assert.deepEqual(readdirSync(join(folder, "node_modules")).filter((name) => name[0] !== "."), ["tickfan"]);
  assert.match(run(here, "npx", "publint", "--strict", join(folder, filename)), /All good/);
  const says = run(folder, "node", "--input-type=module", "-e", `
    import { connect } from "tickfan";
    const ticks = connect("http://127.0.0.1:9");
    console.log(Object.keys(await import("tickfan")).join(), ticks.state.connection);
    ticks.close();`);
  assert.equal(says.trim(), "connect idle");
});

test("its types are strict, and refuse what the library does not have", (t) => {
  const { folder } = installed(t);
  const complaint = (name, body) => {
    const file = join(folder, `${name}.ts`);
    writeFileSync(file, `import { connect, type Options, type Tick, type Ticks, type State, type Watch } from "tickfan";\n${body}\nexport {};\n`);
    try {
      execFileSync(join(here, "node_modules/.bin/tsc"), ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess",
        "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom", file], { cwd: folder, encoding: "utf8", stdio: "pipe" });
      return "";
    } catch (error) {
      return error.stdout;
    }
  };
  assert.equal(complaint("right", `
    const ticks = connect("https://ticks.example.com", { token: async () => "t", patch: true, share: true, maxRate: 4, on: ["trade"] });
    const watch: Watch = ticks.watch(["AAPL"], (tick, { missedTrades, restarted }) => {
      const price: number | undefined = tick.price;
      if (tick.state === "lost" || missedTrades > 0 || restarted) console.log(price, tick.stale?.includes("trade"));
    });
    watch.add("TSLA", ["MSFT"]); watch.remove("AAPL"); watch.set(["A"]); watch.stop();
    const off: () => void = ticks.on("state", ({ connection, retryIn = 0 }: State) => console.log(connection, retryIn + 1));
    ticks.on("missed", ({ symbol, ticks, trades }) => console.log(symbol, ticks + trades));
    ticks.on("hello", ({ symbols, until }) => console.log(symbols.length, until));
    const exact = connect("/", { numbers: "string" });
    const price: string | undefined = exact.get("AAPL")?.price;
    const tick: Tick<string> | undefined = exact.get("AAPL");
    console.log(price, tick, ticks.now() - (tick?.recv ?? 0));
    const usual: Ticks = connect("/", { numbers: "number" });
    const either = (options: Options): Ticks<number | string> => connect("/", options);
    console.log(usual.state, either({}).state);
    off(); ticks.set({ maxRate: 2 }); ticks.set({ maxRate: null, on: null }); ticks.retry(); ticks.close();`), "");
  for (const [name, wrong] of Object.entries({
    option: 'connect("/", { maxrate: 4 });',
    price: 'const price: string | undefined = connect("/").get("A")?.price; price;',
    exact: 'const price: number | undefined = connect("/", { numbers: "string" }).get("A")?.price; price;',
    either: 'const options: Options = { numbers: "string" }; const ticks: Ticks<number> = connect("/", options); ticks.close();',
    event: 'connect("/").on("status", () => {});',
    state: 'connect("/").on("state", ({ connection }) => connection === "dead");',
    part: 'connect("/", { on: ["trades"] });',
  })) assert.match(complaint(name, wrong), /error TS/, name);
});
