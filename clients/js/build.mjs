// Bundles the library into one file for publishing: dist/tickfan.js.

import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

await build({
  entryPoints: [here("src/index.js")],
  outfile: here("dist/tickfan.js"),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  // Of the library's own objects, which no user sees.
  mangleProps: /^(book|down|failed|failures|handler|isBusy|isDelayed|isLost|isNative|isRefused|lastId|offline|open|shown|want|world)$/,
});
