// A tool that reads nothing but /openapi.json asks the gateway for all that it says, and for what it excludes.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Child, startGateway, targetDir, temporaryFolder, within } from "../support/gateway.mjs";

const PATIENCE = 300_000;

test("the gateway's answers and events match its OpenAPI document", { timeout: PATIENCE + 10_000 }, async (t) => {
  const gateway = await startGateway(t, {});
  const child = new Child(t, join(targetDir, "clients/python/bin/schemathesis"), [
    "run", `${gateway.url}/openapi.json`,
    // A stream does not end by itself: it is read for so long, and what came is checked. Few and always the same examples.
    // In threads, its own parser of Python fails now and then.
    "--request-timeout", "1", "--max-examples", "10", "--seed", "1", "--workers", "1", "--no-color",
    // Clients do not sign on here, which is a 404 and not the 401 of a lacking header. A body where none is taken is refused
    // before the method is looked at; the gateway's own tests ask each path by each method.
    "--exclude-checks", "missing_required_header,unsupported_method",
  ], { cwd: temporaryFolder(t) }); // It keeps notes where it runs.
  assert.equal(await within(() => child.text(), child.exited, PATIENCE), 0, child.text());
});
