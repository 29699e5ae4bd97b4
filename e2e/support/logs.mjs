// What no line of a gateway's log may hold, and a look at all lines for it. `tests/support/log_watch.rs` is the same for
// the gateways there; both are tried on the lines of `tests/fixtures/log_lines.txt`.
//
// As a program it looks at files: `node e2e/support/logs.mjs FILE...`

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The lengths of what base64url makes of a ticket, of a name that changes a stream, and of signatures. */
const LENGTHS = [22, 50, 43, 86, 342, 512, 683];

/** What is looked for, each with its name. */
const FORMS = [
  ["a token", /eyJ[\w-]{8}/],
  ["a cookie", /__Host-tickfan=[\w-]/],
  ["a name that changes a stream", /\/v1\/streams\/[\w-]/],
  ["a query", /[?&][A-Za-z0-9_]+=/],
];

/** Whether a word can be random bytes of one of the lengths: both cases, and no bit behind the last byte. */
function isEncoded(word) {
  const last = { 0: /[\w-]$/, 2: /[AQgw]$/, 3: /[AEIMQUYcgkosw048]$/ }[word.length % 4];
  return LENGTHS.includes(word.length) && last?.test(word) && /[A-Z]/.test(word) && /[a-z]/.test(word);
}

/** What a line gives away, if anything. */
export function secretIn(line) {
  const form = FORMS.find(([, pattern]) => pattern.test(line));
  if (form) return form[0];
  // Padding: none of ours has any.
  return line.replaceAll("==", "__").split(/[^\w-]/).some(isEncoded) ? "a ticket, or the like" : undefined;
}

/** Fails if a line gives something away. */
export function checkLog(lines) {
  const found = lines.flatMap((line) => secretIn(line) ? [`${secretIn(line)}: ${line}`] : []);
  assert.deepEqual(found, [], "the log gives something away");
}

/** Looks at all that a process has logged, once its test is over and the process has ended. */
export function watchLog(t, child) {
  t.after(async () => {
    await child.kill();
    checkLog(child.lines.map(({ text }) => text));
  });
}

if (fileURLToPath(import.meta.url) === process.argv[1]) {
  for (const file of process.argv.slice(2)) checkLog(readFileSync(file, "utf8").split("\n"));
}
