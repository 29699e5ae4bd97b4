// What stands in grafana/, for the tests of it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const grafana = join(root, "grafana");
export const read = (...path) => readFileSync(join(root, ...path), "utf8");
export const dashboard = JSON.parse(read("grafana", "tickfan.json"));
export const panels = dashboard.panels.filter(({ type }) => type !== "row");

/** Every expression of the dashboard, with where it stands. */
export const expressions = [
  ...panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ where: title, expr }))),
  ...dashboard.annotations.list.map(({ name, target }) => ({ where: `annotation ${name}`, expr: target.expr })),
];

/** The names of the alerts. */
export const alerts = [...read("grafana", "alerts.yml").matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
