// Prints each tick of a stream as a line: {"symbol", "seq", "data"}.

import { EventSource } from "eventsource";

new EventSource(process.argv[2]).onmessage = ({ data }) => {
  const { symbol, seq } = JSON.parse(data);
  console.log(JSON.stringify({ symbol, seq, data }));
};
