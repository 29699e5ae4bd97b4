// Mock venues: one that speaks as Binance does, and can be killed, and one that asks for a key, as Alpaca does.

import { once } from "node:events";
import { WebSocketServer } from "ws";

/** The config of a feed of such a venue. */
export const venueConfig = (url, symbols) => `
[[feed]]
name = "crypto"
venue = "binance"
url = "${url}"
symbols = ${JSON.stringify(symbols)}
`;

/** A venue that speaks as Binance does, and sends what it is told to. */
export class Venue {
  #server;
  #port;
  #ids = 0;
  /** How far its clock is behind, in seconds. */
  behind = 0;
  /** How many clients have subscribed in all. */
  subscribed = 0;
  /** How many pings were answered. */
  pongs = 0;
  #waiting = [];

  static async start(t, port = 0) {
    const venue = new Venue();
    t.after(() => venue.kill());
    await venue.#listen(port);
    return venue;
  }

  get url() {
    return `ws://127.0.0.1:${this.#port}`;
  }

  async #listen(port) {
    this.#server = new WebSocketServer({ host: "127.0.0.1", port });
    this.#server.on("connection", (socket) => {
      socket.on("pong", () => { this.pongs += 1; });
      socket.on("message", (text) => {
        socket.send(JSON.stringify({ result: null, id: JSON.parse(text).id }));
        this.subscribed += 1;
        for (const resolve of this.#waiting.splice(0)) resolve();
      });
    });
    await once(this.#server, "listening");
    this.#port = this.#server.address().port;
  }

  async isSubscribed(times = 1) {
    while (this.subscribed < times) await new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Sends a trade and a quote of a symbol. */
  trade(symbol, price, size = "1") {
    this.#ids += 1;
    const [s, time] = [symbol.replace("-", ""), (Date.now() - this.behind * 1000) * 1000];
    const lower = s.toLowerCase();
    this.#send({ stream: `${lower}@trade`, data: { e: "trade", E: time, s, t: this.#ids, p: price, q: size, T: time, m: false, M: true } });
    this.quote(symbol, price);
  }

  /** Sends a bid and ask without a trade. */
  quote(symbol, price) {
    this.#ids += 1;
    const s = symbol.replace("-", "");
    this.#send({ stream: `${s.toLowerCase()}@bookTicker`, data: { u: this.#ids, s, b: price, B: "3", a: price, A: "4" } });
  }

  /** Asks each client whether it is there; the answers are counted. */
  ping() {
    for (const socket of this.#server.clients) socket.ping();
  }

  #send(message) {
    this.say(JSON.stringify(message));
  }

  /** Sends this text, whatever it is. */
  say(text) {
    for (const socket of this.#server.clients) socket.send(text);
  }

  /** Ends its connections, and takes new ones. */
  drop() {
    for (const socket of this.#server.clients) socket.terminate();
  }

  /** Is gone, like a machine that lost its power. */
  async kill() {
    for (const socket of this.#server.clients) socket.terminate();
    if (this.#server.address() === null) return;
    this.#server.close();
    await once(this.#server, "close");
  }

  /** Is there again, at the same address. */
  async revive() {
    await this.#listen(this.#port);
  }
}

/** A venue that asks for a key, as Alpaca does, and may stop accepting it. */
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
