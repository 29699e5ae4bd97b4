// Reads the venue and publishes each tick with a POST of its own, for servers whose publish API takes one message at a time.
//
// One connection per group of symbols keeps a symbol's posts in order. With POSTS_MAX posts in flight it stops reading, so
// that the venue, not this program, drops what the server cannot take.
import { Agent, request } from 'node:http';
import { follow, symbols } from './express/feed.mjs';

const CONNECTIONS = 16;
const POSTS_MAX = 1_024;

// `toPost(symbol, tick)` returns the { url, headers, body } that publishes a tick.
export function postEach(toPost) {
  const agents = Array.from({ length: CONNECTIONS }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  const agentOf = new Map(symbols.map((symbol, index) => [symbol, agents[index % CONNECTIONS]]));
  let inFlight = 0;

  follow((symbol, tick, socket) => {
    inFlight += 1;
    if (inFlight >= POSTS_MAX) socket.pause();
    const { url, headers = {}, body } = toPost(symbol, tick);
    const post = request(url, { method: 'POST', agent: agentOf.get(symbol), headers });
    post.on('response', (response) => {
      if (response.statusCode >= 300) console.error(`${url} answers ${response.statusCode}`);
      response.resume();
    });
    post.on('error', (error) => console.error(`${url}: ${error.message}`));
    post.on('close', () => {
      inFlight -= 1;
      if (socket.isPaused && inFlight < POSTS_MAX / 2) socket.resume();
    });
    post.end(body);
  });
}
