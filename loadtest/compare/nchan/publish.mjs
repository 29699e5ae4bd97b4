// Brings the venue's ticks to nchan, which has no feeds: each is posted to its symbol's channel. `PUBLISH` is where.
//
// A symbol's posts keep their order on one connection. With too many on their way it stops reading, so that what nginx cannot
// take is the venue's to drop.
import { Agent, request } from 'node:http';
import { follow, symbols } from '../express/feed.mjs';

const CONNECTIONS = 16;
const POSTS_MAX = 1_024;

const agents = Array.from({ length: CONNECTIONS }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
const agent = new Map(symbols.map((symbol, place) => [symbol, agents[place % CONNECTIONS]]));
let posts = 0;

follow((symbol, tick, feed) => {
  posts += 1;
  if (posts >= POSTS_MAX) feed.pause();
  const post = request(`${process.env.PUBLISH}/${symbol}`, { method: 'POST', agent: agent.get(symbol) });
  const isOver = () => {
    posts -= 1;
    if (feed.isPaused && posts < POSTS_MAX / 2) feed.resume();
  };
  post.on('response', (response) => response.resume());
  post.on('error', (error) => console.error(`nginx takes no post: ${error.message}`));
  post.on('close', isOver);
  post.end(tick);
});
