// Publishes the venue's ticks to nchan, a POST to each symbol's channel. `PUBLISH` is the publisher location's URL.
import { postEach } from '../post.mjs';

postEach((symbol, tick) => ({ url: `${process.env.PUBLISH}/${symbol}`, body: tick }));
