// Bundles the library into one file for publishing: dist/tickfan.js.

import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { minify } from "terser";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const { outputFiles: [bundle] } = await build({
  entryPoints: [here("src/index.js")],
  outfile: here("dist/tickfan.js"),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  write: false,
  // Of the library's own objects, which no user sees.
  mangleProps: /^(book|date|down|failed|failures|gap|handler|hasLogin|isBusy|isDelayed|isLost|isNative|isRefused|lastId|lasts|look|offline|open|shown|tick|waits|want|world)$/,
});
// terser shortens the statements further.
const { code } = await minify(bundle.text, { module: true, ecma: 2022, compress: { passes: 4 }, format: { ecma: 2022 } });
mkdirSync(here("dist"), { recursive: true });
writeFileSync(bundle.path, code);
