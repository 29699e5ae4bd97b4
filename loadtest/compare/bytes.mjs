// Prints how many bytes a tick has on the wire, from a gateway itself and through another server. Each tick that the gateway
// sends is published there as it is, and both streams are counted below HTTP: bytes of the sockets behind the heads.
//
//   node bytes.mjs GATEWAY [nchan|centrifugo|mercure SECONDS]
//
// The other server listens at LISTEN, and takes what `run` configures. JWT_KEY is the key of Mercure's publishers.
import { createHmac } from 'node:crypto';
import { get } from 'node:http';

const [gateway, name, seconds = '45'] = process.argv.slice(2);
const peer = `http://${process.env.LISTEN}`;

function token(key) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const unsigned = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ mercure: { publish: ['*'] } })}`;
  return `${unsigned}.${createHmac('sha256', key).update(unsigned).digest('base64url')}`;
}

/** Of each server: the path of a stream of these symbols, and the request that publishes a tick. */
const PEERS = {
  nchan: {
    path: (symbols) => `/sub/${symbols}`,
    publish: (symbol, tick) => [`${peer}/pub/${symbol}`, { body: tick }],
  },
  centrifugo: {
    path: (symbols) => `/connection/uni_sse?cf_connect=${encodeURIComponent(JSON.stringify({ subs: Object.fromEntries(symbols.map((symbol) => [symbol, {}])) }))}`,
    publish: (symbol, tick) => [`${peer}/api/publish`, { headers: { 'content-type': 'application/json' }, body: `{"channel":"${symbol}","data":${tick}}` }],
  },
  mercure: {
    path: (symbols) => `/.well-known/mercure?${symbols.map((symbol) => `topic=${symbol}`).join('&')}`,
    publish: (symbol, tick) => [`${peer}/.well-known/mercure`, {
      headers: { authorization: `Bearer ${token(process.env.JWT_KEY)}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: `topic=${symbol}&data=${encodeURIComponent(tick)}`,
    }],
  },
};

/** Reads a stream: counts ticks and, from the first one on, the bytes of its socket. `take` gets each tick's data. */
function read(url, isTick, take = () => {}) {
  const counted = { ticks: 0, bytes: 0 };
  get(url, { headers: { accept: 'text/event-stream' } }, (response) => {
    if (response.statusCode !== 200) throw new Error(`${url} answers ${response.statusCode}`);
    let [rest, before] = ['', 0];
    response.setEncoding('utf8');
    response.on('data', (text) => {
      const blocks = (rest + text).split('\n\n');
      rest = blocks.pop();
      for (const block of blocks) {
        if (!isTick(block)) continue;
        counted.ticks += 1;
        const data = block.split('\n').find((line) => line.startsWith('data: '))?.slice('data: '.length);
        take(JSON.parse(data), data);
      }
      // What came with the first ticks has the head before it.
      if (before === 0) [before, counted.ticks] = [response.socket.bytesRead, 0];
      counted.bytes = response.socket.bytesRead - before;
    });
  });
  return counted;
}

const { symbols: listed } = await (await fetch(`${gateway}/v1/symbols?limit=1000`)).json();
const symbols = listed.map(({ symbol }) => symbol);
/** Hello and heartbeats name no symbol of theirs. */
const isTick = (block) => block.includes('"symbol"');
const { path, publish } = PEERS[name] ?? {};
const through = path && read(peer + path(symbols), isTick);
// The peer's subscriber is there first.
await new Promise((resolve) => { setTimeout(resolve, 500); });
const streams = {
  whole: read(`${gateway}/v1/stream?symbols=${symbols}`, isTick, async ({ symbol }, data) => {
    if (!publish) return;
    const [url, init] = publish(symbol, data);
    const answer = await fetch(url, { method: 'POST', ...init });
    if (!answer.ok) throw new Error(`${url} answers ${answer.status}: ${await answer.text()}`);
  }),
  patched: read(`${gateway}/v1/stream?symbols=${symbols}&patch=1`, isTick),
  ...(path && { [name]: through }),
};
setTimeout(() => {
  for (const [stream, { ticks, bytes }] of Object.entries(streams)) console.log(`${stream}: ${ticks} ticks, ${(bytes / ticks).toFixed(1)} bytes a tick`);
  process.exit();
}, Number(seconds) * 1_000);
