// Asks for an answer and for a stream on one connection of HTTP/2: prints {"http", "status", "quotes"} of the answer, and
// each tick of the stream as a line: {"symbol", "seq", "data"}. It ends with the stream.

import { createParser } from "eventsource-parser";
import { connect } from "node:http2";

const [answerUrl, streamUrl] = process.argv.slice(2).map((url) => new URL(url));
const session = connect(answerUrl.origin);
const ask = ({ pathname, search }) => session.request({ ":path": pathname + search }).setEncoding("utf8");

let body = "";
const answer = ask(answerUrl).on("data", (text) => { body += text; });
answer.on("response", ({ ":status": status }) => answer.on("end", () => {
  const http = session.alpnProtocol.replace("h", "");
  console.log(JSON.stringify({ http, status, quotes: JSON.parse(body).quotes.length }));
}));
const parser = createParser({
  onEvent({ event, data }) {
    if (event !== undefined) return;
    const { symbol, seq } = JSON.parse(data);
    console.log(JSON.stringify({ symbol, seq, data }));
  },
});
ask(streamUrl).on("data", (text) => parser.feed(text)).on("close", () => session.close());
