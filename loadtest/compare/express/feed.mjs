// A feed in Node: reads Binance's protocol, and hands on the whole latest state of a symbol with each update, under tickfan's
// field names. `VENUE` is the venue's URL, `SYMBOLS` the symbols to subscribe to.
import WebSocket from 'ws';

const RETRY_MILLIS = 100;

export const symbols = process.env.SYMBOLS.split(',');
const names = new Map(symbols.map((symbol) => [symbol.replace('-', ''), symbol]));

// Calls `onTick(symbol, json, socket)` for each update, and reconnects when the connection ends.
export function follow(onTick) {
  const latest = new Map();
  const socket = new WebSocket(process.env.VENUE);
  socket.on('open', () => {
    const params = [...names.keys()].map((name) => name.toLowerCase()).flatMap((name) => [`${name}@trade`, `${name}@bookTicker`]);
    socket.send(JSON.stringify({ method: 'SUBSCRIBE', params, id: 1 }));
  });
  socket.on('message', (message) => {
    const update = JSON.parse(message).data;
    if (!update) return; // the answer to the subscription
    const symbol = names.get(update.s);
    const before = latest.get(symbol) ?? { symbol, seq: 0, trades: 0 };
    const tick = { ...before, seq: before.seq + 1, ...(update.e === 'trade' ? trade(update, before) : quote(update)) };
    latest.set(symbol, tick);
    onTick(symbol, JSON.stringify(tick), socket);
  });
  // The venue has not started yet, or has stopped: `close` follows.
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(follow, RETRY_MILLIS, onTick));
}

function trade(update, before) {
  return {
    kind: 'trade',
    price: Number(update.p),
    size: Number(update.q),
    side: update.m ? 'sell' : 'buy',
    trade_ts: update.T,
    trades: before.trades + 1,
  };
}

function quote(update) {
  return { kind: 'quote', bid: Number(update.b), bid_size: Number(update.B), ask: Number(update.a), ask_size: Number(update.A) };
}
