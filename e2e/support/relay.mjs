// A line to the gateway that a test can break.

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** Passes bytes on to an address. `drop` breaks all connections, `mute` passes nothing on until `hear`. */
export async function startRelay(t, address) {
  const [host, port] = address.split(":");
  const pairs = new Set();
  let isMute = false;
  const server = createServer((client) => {
    const gateway = connect(Number(port), host);
    const pair = [client, gateway];
    pairs.add(pair);
    for (const [from, to] of [[client, gateway], [gateway, client]]) {
      from.on("data", (bytes) => { if (!isMute) to.write(bytes); });
      from.on("error", () => {});
      from.on("close", () => { to.destroy(); pairs.delete(pair); });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const drop = () => { for (const [client] of pairs) client.resetAndDestroy(); };
  t.after(() => { server.close(); drop(); });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    drop,
    /** Bytes that come now are gone, so what is open never works again. */
    mute: () => { isMute = true; },
    hear: () => { isMute = false; },
  };
}
