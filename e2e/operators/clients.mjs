// Clients of all kinds: those that read, those that do not, slow ones, and those that only connect.

import { once } from "node:events";
import { connect } from "node:net";
import { within } from "../support/gateway.mjs";

async function opened(t, address, localAddress) {
  const [host, port] = address.split(":");
  const socket = connect({ port: Number(port), host, localAddress });
  t.after(() => socket.destroy());
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Opens a stream that is read, or never read. */
export async function openStream(t, address, symbols, { isRead = true } = {}) {
  const socket = await opened(t, address);
  socket.write(`GET /v1/stream?symbols=${symbols} HTTP/1.1\r\nhost: ${address}\r\n\r\n`);
  await once(socket, "readable");
  if (isRead) socket.resume();
  return socket;
}

/** Waits until a stream that is read has brought a tick; a symbol without data yet is none. */
export function hasTick(socket) {
  return within("a tick", new Promise((resolve) => {
    const look = (bytes) => {
      if (!bytes.includes("\nid: ")) return;
      socket.off("data", look);
      resolve();
    };
    socket.on("data", look);
  }));
}

/** Opens a stream whose client takes so many bytes five times a second: what node holds of it, 64 KiB at most, unless told. */
export async function openSlow(t, address, symbols, bytes) {
  const socket = await openStream(t, address, symbols, { isRead: false });
  const timer = setInterval(() => socket.read(bytes), 200);
  t.after(() => clearInterval(timer));
  return socket;
}

let idle = 0;

/** Connects, each time from another address of a few hundred, and never finishes its request. */
export async function openIdle(t, address) {
  const socket = await opened(t, address, `127.0.1.${(idle++ % 250) + 1}`);
  socket.write("GET /v1/quotes/BTC-USDT HTTP/1.1\r\n");
  return socket;
}
