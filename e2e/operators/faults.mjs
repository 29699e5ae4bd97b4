// The faults of the drill: how each is brought about and mended, and what shows its cause.

import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { Child } from "../support/gateway.mjs";
import { openIdle, openStream } from "./clients.mjs";

/** What ends with a fault, and not only with the drill. */
function scope() {
  const ends = [];
  return { after: (end) => ends.push(end), end: () => Promise.all(ends.map((end) => end())) };
}

/** The first line that was seen and says this. */
const line = (pattern) => ({ lines }) => lines.find(({ where, line }) => pattern.test(`${where}: ${line}`));

/** Clients that connect and say little, each there again as soon as it is closed. */
async function comeAgain(part, address, count) {
  let isOver = false;
  part.after(() => (isOver = true));
  const come = async () => {
    const socket = await openIdle(part, address);
    socket.resume();
    socket.on("close", () => isOver || come().catch(() => {}));
  };
  await Promise.all(Array.from({ length: count }, come));
}

/**
 * Each: what begins it, which returns what mends it; and what shows the cause, given all that was seen where the runbooks
 * of the alerts point.
 */
export const FAULTS = {
  "venue-mute": {
    what: "a venue whose connection lives, but that says nothing",
    begin({ crypto }) {
      crypto.isMute = true;
      return () => (crypto.isMute = false);
    },
    cause: line(/crypto.* no_data|lost: no_data/),
  },
  "bad-key": {
    what: "a venue that no longer takes the key",
    begin({ stocks, restart }) {
      stocks.knowsKey = false;
      stocks.drop();
      return async () => {
        stocks.knowsKey = true;
        await restart();
      };
    },
    cause: line(/stocks.*(denied|auth failed)/),
  },
  "stalled-clients": {
    what: "clients that stop reading, some twenty at a time",
    begin({ gateway, stallSeconds }) {
      const part = scope();
      const timer = setInterval(() => openStream(part, gateway.address, "AAPL,MSFT,NVDA", { isRead: false }).catch(() => {}), stallSeconds * 50);
      part.after(() => clearInterval(timer));
      return part.end;
    },
    cause: line(/\/debug\/streams: 127\.0\.0\.1:\d+: full for [1-9]/),
  },
  "descriptor-limit": {
    what: "clients that connect, never finish their request, and come again",
    async begin({ gateway, connections }) {
      const part = scope();
      await comeAgain(part, gateway.address, connections);
      return part.end;
    },
    cause({ panels }) {
      const panel = panels["Connections that are not streams"];
      const open = panel?.series.find(({ legend }) => legend.endsWith("open"));
      const most = panel?.series.find(({ legend }) => legend.endsWith("limit"));
      return open?.now > 0.9 * most?.now && { step: panel.step, where: "Connections that are not streams", line: `${open.now} of ${most.now}` };
    },
  },
  "decode-errors": {
    what: "a venue that has changed its format",
    begin({ crypto }) {
      crypto.isChanged = true;
      return () => (crypto.isChanged = false);
    },
    cause: line(/\/debug\/feeds: crypto.*"price"/),
  },
  "cpu-starved": {
    what: "other programs on the gateway's only processor",
    async begin({ gateway }) {
      const part = scope();
      spawnSync("taskset", ["-acp", "0", `${gateway.pid}`]);
      for (let count = 0; count < 40; count++) new Child(part, "taskset", ["-c", "0", "sh", "-c", "while :; do :; done"]);
      return async () => {
        await part.end();
        spawnSync("taskset", ["-acp", `0-${availableParallelism() - 1}`, `${gateway.pid}`]);
      };
    },
    cause({ panels }) {
      const panel = panels["Waiting for a processor"];
      const [wait, used] = [panel?.series[0], panels.Processor?.series[0]];
      const is = wait?.now > 1 && wait.now > 2 * wait.before;
      return is && { step: panel.step, where: "Waiting for a processor", line: `${wait.now.toFixed(1)} threads wait, ${(used?.now ?? 0).toFixed(1)} cores are in use` };
    },
  },
};
