// Reads a stream over HTTP/2, as a browser does through a proxy, and prints each tick as a line: {"symbol", "seq", "data"}.
// Whatever the address's name is, it connects to this machine. A second argument is sent as the cookie.

import { createParser } from "eventsource-parser";
import { connect } from "node:http2";
import { connect as connectTls } from "node:tls";

const url = new URL(process.argv[2]);
const session = connect(url.origin, {
  // The proxy of the test has a certificate that it made itself.
  createConnection: () => connectTls({ host: "127.0.0.1", port: url.port, servername: url.hostname, ALPNProtocols: ["h2"], rejectUnauthorized: false }),
});
const headers = { ":path": url.pathname + url.search, accept: "text/event-stream" };
if (process.argv[3]) headers.cookie = process.argv[3];
const stream = session.request(headers);
stream.on("response", ({ ":status": status }) => {
  if (status === 200) return;
  console.error(`status ${status}`);
  process.exit(1);
});
const parser = createParser({
  onEvent({ event, data }) {
    if (event !== undefined) return;
    const { symbol, seq } = JSON.parse(data);
    console.log(JSON.stringify({ symbol, seq, data }));
  },
});
stream.setEncoding("utf8").on("data", (text) => parser.feed(text));
