// Floods of HTTP/2: clients that send frames without end, and connect again as soon as the gateway has had enough.

import { connect } from "node:tls";

const DATA = 0x0;
const HEADERS = 0x1;
const RST_STREAM = 0x3;
const SETTINGS = 0x4;
const PING = 0x6;
const WINDOW_UPDATE = 0x8;
const CONTINUATION = 0x9;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;
const INITIAL_WINDOW_SIZE = 0x4;
/** How many frames are written at a time, so that the flood costs its sender little. */
const FRAMES = 1_000;

function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function number(value, bytes = 4) {
  const payload = Buffer.alloc(bytes);
  payload.writeUIntBE(value, 0, bytes);
  return payload;
}

const setting = (key, value) => frame(SETTINGS, 0, 0, Buffer.concat([number(key, 2), number(value)]));

/** A request's fields: method and scheme by the static table, path and authority as literals (RFC 7541). */
function request(path, method = 0x82) {
  const literal = (name, text) => Buffer.concat([Buffer.from([name, text.length]), Buffer.from(text)]);
  return Buffer.concat([Buffer.from([method, 0x87]), literal(0x04, path), literal(0x01, "localhost")]);
}

const POST = 0x83;
const repeated = (one) => Buffer.concat(Array(FRAMES).fill(one));
/** For each of the next streams. */
function* streams(of) {
  for (let stream = 1; ; stream += 2 * FRAMES) {
    yield Buffer.concat(Array.from({ length: FRAMES }, (_, index) => of(stream + 2 * index)));
  }
}
/** One block, then another for ever. */
function* opened(first, then) {
  yield first;
  for (;;) yield then;
}

const forever = (one) => opened(repeated(one), repeated(one));

/** What each flood sends on a connection, block by block, and the `reason` by which the gateway counts its end. */
export const H2_FLOODS = {
  "rapid reset": { reason: "resets", blocks: () => streams((stream) => Buffer.concat([frame(HEADERS, END_STREAM | END_HEADERS, stream, request("/v1/symbols")), frame(RST_STREAM, 0, stream, number(8))])) },
  "continuation": { reason: "continuations", blocks: () => opened(frame(HEADERS, 0, 1, request("/v1/symbols")), repeated(frame(CONTINUATION, 0, 1))) },
  "h2 pings": { reason: "control_frames", blocks: () => forever(frame(PING, 0, 0, Buffer.alloc(8))) },
  "h2 settings": { reason: "control_frames", blocks: () => forever(frame(SETTINGS, 0, 0)) },
  "empty data": { reason: "control_frames", blocks: () => opened(frame(HEADERS, END_HEADERS, 1, request("/v1/streams/x", POST)), repeated(frame(DATA, 0, 1))) },
  "tiny windows": { reason: "window_updates", blocks: () => {
    const ids = Array.from({ length: 50 }, (_, index) => 1 + 2 * index);
    const asked = ids.map((id) => frame(HEADERS, END_STREAM | END_HEADERS, id, request("/v1/symbols")));
    const updates = ids.map((id) => frame(WINDOW_UPDATE, 0, id, number(1)));
    return opened(Buffer.concat([setting(INITIAL_WINDOW_SIZE, 1), ...asked]), Buffer.concat(updates));
  } },
};

/** Floods a port until the returned function is called. */
export function pourH2(port, ca, flood, count) {
  let isOver = false;
  let socket;
  const begin = () => {
    if (isOver) return;
    const blocks = H2_FLOODS[flood].blocks();
    socket = connect({ port, host: "127.0.0.1", servername: "localhost", ca, ALPNProtocols: ["h2"] });
    const mine = socket;
    const more = () => {
      let hasRoom = true;
      while (!isOver && mine.writable && hasRoom) {
        hasRoom = mine.write(blocks.next().value);
        count(1);
      }
    };
    mine.on("error", () => {});
    mine.on("drain", more);
    mine.once("close", begin);
    mine.resume();
    mine.once("secureConnect", () => {
      mine.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(SETTINGS, 0, 0)]));
      more();
    });
  };
  begin();
  return () => {
    isOver = true;
    socket.destroy();
  };
}
