// The dashboards as files: their types, the rules of grafana/dashboard-linter, and that nothing is forgotten.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { alerts, cluster, clusterAlerts, dashboard, expressionsOf, grafana, panels, read } from "./files.mjs";

const DASHBOARDS = [dashboard, cluster];
const panelsOf = ({ panels }) => panels.filter(({ type }) => type !== "row");

/** A dashboard as an expression whose types can be checked: what JSON holds as a word is an enum there. */
function typed(dashboard) {
  const annotations = dashboard.annotations.list.map(({ titleFormat, textFormat, target: { expr, ...target }, ...rest }) => {
    // Prometheus' own, which the common type does not know.
    assert.ok(titleFormat && textFormat && expr);
    return rest;
  });
  const text = JSON.stringify({ ...dashboard, annotations: { list: annotations } }, null, 1);
  return text.replaceAll('"mode": "absolute"', '"mode": ThresholdsMode.Absolute');
}

for (const dashboard of DASHBOARDS) test(`the dashboard ${dashboard.uid} is what Grafana's own types say`, (t) => {
  const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
  const folder = mkdtempSync(join(here, "types-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "dashboard.ts");
  writeFileSync(file, `import { type Dashboard, ThresholdsMode } from "@grafana/schema";\nexport const dashboard: Dashboard = ${typed(dashboard)};\n`);
  const options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler", "--target", "es2022"];
  const checked = spawnSync(join(here, "../node_modules/.bin/tsc"), [...options, file], { encoding: "utf8" });
  assert.equal(checked.status, 0, checked.stdout + checked.stderr);
});

test("every panel has a title, a description, a unit, a query and the variable data source", () => {
  for (const panel of DASHBOARDS.flatMap(panelsOf)) {
    assert.ok(panel.title && panel.description, JSON.stringify(panel));
    assert.ok(panel.fieldConfig.defaults.unit, `${panel.title} has no unit`);
    assert.ok(panel.targets.length > 0, `${panel.title} asks nothing`);
    for (const { uid } of [panel.datasource, ...panel.targets.map(({ datasource }) => datasource)]) {
      assert.equal(uid, "${datasource}", panel.title);
    }
  }
});

test("a single number is current: the last value of a dead gateway is not shown", () => {
  for (const { title, targets } of DASHBOARDS.flatMap(panelsOf).filter(({ type }) => type === "stat")) {
    for (const { instant, range, expr } of targets) {
      assert.deepEqual([instant, range], [true, false], title);
      assert.ok(!expr.includes("vector("), `${title} answers without a gateway`);
    }
  }
});

for (const dashboard of DASHBOARDS) test(`the variables of ${dashboard.uid} are data source, job and instance, and it is not edited in place`, () => {
  const [datasource, job, instance, ...more] = dashboard.templating.list;
  assert.deepEqual(more, []);
  assert.deepEqual([datasource.name, datasource.type, datasource.query, datasource.label], ["datasource", "datasource", "prometheus", "Data source"]);
  for (const [variable, name, label] of [[job, "job", "Job"], [instance, "instance", "Instance"]]) {
    assert.deepEqual([variable.name, variable.label, variable.multi, variable.allValue], [name, label, true, ".+"]);
    assert.deepEqual([variable.datasource.uid, variable.refresh], ["${datasource}", 2]);
  }
  assert.equal(dashboard.editable, false);
});

test("every expression filters by job and instance, and takes rates over $__rate_interval", () => {
  for (const { where, expr } of DASHBOARDS.flatMap(expressionsOf)) {
    const names = expr.match(/\b((tickfan|process)_\w+|up\b)/g);
    const filtered = expr.match(/\b((tickfan|process)_\w+|up)\{job=~"\$job",instance=~"\$instance"/g);
    assert.equal(filtered?.length, names.length, `${where}: ${expr}`);
    // All the time that is shown is for what has been there, never for a rate.
    for (const [, range] of expr.replaceAll(/present_over_time\([^)]+\[\$__range\]\)/g, "").matchAll(/\[([^\]]+)\]/g)) {
      assert.equal(range, "$__rate_interval", where);
    }
    // The gateway's own delay, or a slow client's: both in one are neither.
    for (const [, labels] of expr.matchAll(/tick_delivery_seconds_\w+\{([^}]+)\}/g)) assert.ok(labels.includes('transport="'), where);
    for (const [counter] of expr.matchAll(/\b\w+(_total|_bucket|_count|_sum)\{/g)) {
      assert.ok(expr.includes(`rate(${counter}`) || expr.includes(`increase(${counter}`), `${where}: ${counter} without a rate`);
    }
  }
});

for (const dashboard of DASHBOARDS) test(`no two panels of ${dashboard.uid} overlap, and ids are unique`, () => {
  const all = dashboard.panels;
  assert.equal(new Set(all.map(({ id }) => id)).size, all.length);
  for (const [index, { title, gridPos: a }] of all.entries()) {
    assert.ok(a.x + a.w <= 24, title);
    for (const { title: other, gridPos: b } of all.slice(index + 1)) {
      const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
      assert.ok(apart, `${title} overlaps ${other}`);
    }
  }
});

test("every metric of a cluster is on a panel of its dashboard, and no panel asks for another", () => {
  const documented = read("docs/metrics.md").match(/^\| `tickfan_(cluster|bus)_\w+`/gm).map((row) => row.slice(3, -1));
  const asked = new Set(expressionsOf(cluster).flatMap(({ expr }) => expr.match(/\btickfan_(cluster|bus)_\w+?(?=(_bucket)?\{)/g) ?? []));
  assert.ok(documented.length > 10);
  assert.deepEqual([...asked].sort(), documented.sort());
});

test("README names every panel, and every alert has a page that says what to look at and what to do", () => {
  for (const { title, description } of DASHBOARDS.flatMap(panelsOf)) assert.ok(read("grafana/README.md").includes(`| ${title} | ${description} |`), title);
  assert.ok(alerts.length >= 10 && clusterAlerts.length >= 5);
  const files = [
    { names: alerts, rules: "alerts.yml", cases: "alerts_test.yml", shown: panels },
    { names: clusterAlerts, rules: "cluster_alerts.yml", cases: "cluster_alerts_test.yml", shown: DASHBOARDS.flatMap(panelsOf) },
  ];
  for (const { names, rules, cases, shown } of files) {
    for (const alert of names) {
      assert.ok(read("grafana", rules).includes(`runbook_url: runbooks/${alert}.md`), alert);
      assert.ok(existsSync(join(grafana, "runbooks", `${alert}.md`)), alert);
      const page = read("grafana/runbooks", `${alert}.md`);
      for (const part of [`# ${alert}`, "## What to look at", "## What to do", "## When to escalate"]) assert.ok(page.includes(part), alert);
      for (const [, panel] of page.matchAll(/Panels? \*([^*]+)\*/g)) {
        assert.ok(shown.some(({ title }) => title === panel), `${alert} names the panel ${panel}`);
      }
      for (const how of ["fires", "is quiet"]) assert.ok(read("grafana", cases).includes(`${alert} ${how}`), alert);
    }
  }
});
