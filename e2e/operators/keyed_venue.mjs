// A venue that asks for a key, as Alpaca does, and may change its mind about it.

import { once } from "node:events";
import { WebSocketServer } from "ws";

export class KeyedVenue {
  #server;
  #ids = 0;
  /** Whether it still takes the key. */
  knowsKey = true;

  static async start(t) {
    const venue = new KeyedVenue();
    venue.#server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    venue.#server.on("connection", (socket) => venue.#converse(socket));
    await once(venue.#server, "listening");
    t.after(() => {
      venue.drop();
      venue.#server.close();
    });
    return venue;
  }

  get url() {
    return `ws://127.0.0.1:${this.#server.address().port}`;
  }

  #converse(socket) {
    const say = (message) => socket.send(JSON.stringify([message]));
    const granted = { trades: [], quotes: [], dailyBars: [], statuses: [], lulds: [] };
    say({ T: "success", msg: "connected" });
    socket.on("message", (text) => {
      const { action, ...asked } = JSON.parse(text);
      if (action === "auth") {
        say(this.knowsKey ? { T: "success", msg: "authenticated" } : { T: "error", code: 402, msg: "auth failed" });
      } else {
        for (const channel in granted) granted[channel].push(...(asked[channel] ?? []));
        say({ T: "subscription", ...granted });
      }
    });
  }

  trade(symbol, price) {
    this.#ids += 1;
    const trade = { T: "t", S: symbol, i: this.#ids, x: "D", p: price, s: 100, t: new Date().toISOString(), c: ["@"], z: "C" };
    for (const socket of this.#server.clients) socket.send(JSON.stringify([trade]));
  }

  /** Ends its connections, like a venue that has withdrawn the key which they were opened with. */
  drop() {
    for (const socket of this.#server.clients) socket.terminate();
  }
}
