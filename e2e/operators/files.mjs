// What stands in grafana/, for the tests of it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const grafana = join(root, "grafana");
export const read = (...path) => readFileSync(join(root, ...path), "utf8");
export const dashboard = JSON.parse(read("grafana", "tickfan.json"));
export const panels = dashboard.panels.filter(({ type }) => type !== "row");

/** Every expression of a dashboard, with where it stands. */
export const expressionsOf = ({ panels, annotations }) => [
  ...panels.filter(({ type }) => type !== "row").flatMap(({ title, targets }) => targets.map(({ expr }) => ({ where: title, expr }))),
  ...annotations.list.map(({ name, target }) => ({ where: `annotation ${name}`, expr: target.expr })),
];
export const expressions = expressionsOf(dashboard);

/** The dashboard of a cluster, whose metrics a single gateway does not have. */
export const cluster = JSON.parse(read("grafana", "cluster.json"));

/** The names of the alerts. */
const alertsOf = (file) => [...read("grafana", file).matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
export const alerts = alertsOf("alerts.yml");
export const clusterAlerts = alertsOf("cluster_alerts.yml");
