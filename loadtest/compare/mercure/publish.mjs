// Publishes the venue's ticks to a Mercure hub, where a symbol is a topic. `PUBLISH` is the hub's URL, `JWT_KEY` its
// publishers' key.
import { createHmac } from 'node:crypto';
import { postEach } from '../post.mjs';

function token(key) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const unsigned = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ mercure: { publish: ['*'] } })}`;
  return `${unsigned}.${createHmac('sha256', key).update(unsigned).digest('base64url')}`;
}

const headers = {
  authorization: `Bearer ${token(process.env.JWT_KEY)}`,
  'content-type': 'application/x-www-form-urlencoded',
};

postEach((symbol, tick) => ({
  url: process.env.PUBLISH,
  headers,
  body: `topic=${symbol}&data=${encodeURIComponent(tick)}`,
}));
