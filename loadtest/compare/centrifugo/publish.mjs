// Publishes the venue's ticks to Centrifugo, where a symbol is a channel, through its batch API. `PUBLISH` is the API's URL.
//
// One batch is in flight at a time, which keeps the order; the ticks that arrive meanwhile are the next batch. With TICKS_MAX
// of them waiting it stops reading, so that the venue, not this program, drops what the server cannot take.
import { Agent, request } from 'node:http';
import { follow } from '../express/feed.mjs';

const TICKS_MAX = 1_024;

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
let waiting = [];
let isPosting = false;

function postWaiting(socket) {
  const body = `{"commands":[${waiting.join(',')}]}`;
  waiting = [];
  isPosting = true;
  if (socket.isPaused) socket.resume();
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const post = request(`${process.env.PUBLISH}/batch`, { method: 'POST', agent, headers });
  post.on('response', (response) => {
    if (response.statusCode >= 300) console.error(`Centrifugo answers ${response.statusCode}`);
    response.resume();
  });
  post.on('error', (error) => console.error(`Centrifugo: ${error.message}`));
  post.on('close', () => {
    isPosting = false;
    if (waiting.length > 0) postWaiting(socket);
  });
  post.end(body);
}

follow((symbol, tick, socket) => {
  waiting.push(`{"publish":{"channel":"${symbol}","data":${tick}}}`);
  if (waiting.length >= TICKS_MAX) socket.pause();
  if (!isPosting) postWaiting(socket);
});
