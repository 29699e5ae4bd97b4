// The Server-Sent Events server of the usual Express tutorial: a list of responses per symbol, and a write to each of them per
// tick. `LISTEN` is the address for clients.
import express from 'express';
import { follow, symbols } from './feed.mjs';

const clients = new Map(symbols.map((symbol) => [symbol, []]));

const app = express();
app.get('/sub/:symbols', (request, response) => {
  const wanted = request.params.symbols.split(',').filter((symbol) => clients.has(symbol));
  if (wanted.length === 0) {
    response.sendStatus(404);
    return;
  }
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache', Connection: 'keep-alive' });
  response.flushHeaders();
  for (const symbol of wanted) clients.get(symbol).push(response);
  request.on('close', () => {
    for (const symbol of wanted) clients.set(symbol, clients.get(symbol).filter((client) => client !== response));
  });
});

follow((symbol, tick) => {
  for (const client of clients.get(symbol)) client.write(`data: ${tick}\n\n`);
});

const [host, port] = process.env.LISTEN.split(':');
app.listen(Number(port), host);
