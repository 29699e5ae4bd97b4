// Keeps one stream open: connects, signs on, changes its list, notices silence, reconnects.

import { backoff } from "./backoff.js";
import { changesOf } from "./changes.js";
import { readEventSource, readFetch, refusal } from "./transport.js";

/** How long before its credentials end a stream is renewed, in ms, at most; and the least that is worth it. */
const RENEWED_BEFORE = 30_000;
const RENEWED_BEFORE_MIN = 1_000;
/** The longest time that a timer takes, in ms. */
const TIMER_MAX = 2 ** 31 - 1;
/** How long a request may take, in ms: longer than the gateway's own limit, which is 10 s by default. */
const REQUEST_MAX = 15_000;
/** How far apart two looks are at most, in ms, if the page has time; and how far clocks are, if the machine has not slept. */
const LATE = 2_000;
/** How soon a list is sent again because it lacks a symbol, in ms: a page may set the same list at each tick. */
const ASKED_AGAIN = 10_000;
/** Answers that may pass by themselves. */
const PASSING = [408, 429];
const ABSENT = { "no-such-symbol": "unknown", "not-entitled": "denied" };

/** The silence, in ms, after which a stream is given up; after three quarters of it no price counts as live. */
export const patience = (heartbeat) => heartbeat * 2_000 + 1_000;

/** Measures a silence, by looks at it. */
export function silenceOf({ now }) {
  let begun = now();
  let looked;
  let missed;
  /** How long it lasts, in ms. */
  const lasts = () => now() - begun;
  /** Something has come. */
  const end = () => { begun = now(); };
  /**
   * How long it lasts, for a look at it. The first late one sees none: after a long task of the page, or where it was frozen,
   * events may wait to be read, and come before the next look. A hidden page's looks are all late.
   */
  function look() {
    const late = now() - looked < LATE ? undefined : begun;
    const isFirst = late !== missed;
    looked = now();
    missed = late;
    return late !== undefined && isFirst ? 0 : lasts();
  }
  return { lasts, end, look };
}

/**
 * A stream that is kept open: want(symbols), set(options), hurry(), offline(), gap() and close(). `world` has fetch, EventSource,
 * now, date and random; `on` has event(name, data, id), state(state) and absent(symbols, state). It begins behind the event
 * `lastId`, after as many failures in a row.
 */
export function streamOf(options, world, on, lastId = "", failures = 0) {
  const { url, token, credentials, heartbeat } = options;
  const dead = patience(heartbeat);
  /** Whether another token can be had. */
  const hasLogin = typeof token === "function";
  const silence = silenceOf(world);
  let symbols = [];
  /** What marks the attempt that counts; undefined while there is none. */
  let attempt;
  /** Closes the transport. */
  let cut;
  let changes;
  let retryTimer;
  let renewTimer;
  let lookTimer;
  /** How far the wall's clock is ahead of ours, in ms, at the last look. */
  let drift = NaN;
  let isSilent;
  let isLive;
  let isRefused;
  /** An EventSource was refused, but cannot say why: the next attempt is a fetch, which can. */
  let isExplained;
  /** What the attempt asked for, and the name by which its stream is changed. */
  let asked;
  let control;
  let retry;
  let bye;
  /** The promise of the token that is used until it ends or is refused. */
  let promised;
  let wasRefusedToken;
  /** Whether the stream lacks a symbol that no feed had: one may have it by now. */
  let isPartial;
  /** When a list was sent last. */
  let sentAt;
  /** How far the gateway's clock is ahead of ours, in ms. */
  let ahead;

  /** Streams these symbols from now on, over the open stream if there is one; none: closes it. */
  function want(list) {
    const before = `${symbols}`;
    // A component that is drawn again moves its symbols to the end.
    symbols = [...list].sort();
    if (symbols.length === 0) {
      close();
      say("idle");
    } else if (before !== `${symbols}` || (isPartial && changes && world.now() > sentAt + ASKED_AGAIN)) {
      sentAt = world.now();
      follow();
    }
  }

  /** Takes other values of maxRate and on. */
  function set(more) {
    options = { ...options, ...more };
    if (symbols.length > 0) follow();
  }

  function follow() {
    if (changes) changes.want(wanted());
    // An attempt that has no hello yet is compared with the list then; a wait goes on, unless another list may be allowed.
    else if (isLive || isRefused || !(attempt || retryTimer)) connect();
  }

  function close() {
    symbols = [];
    drop();
    clearInterval(lookTimer);
    lookTimer = undefined;
  }

  /** Tries at once if it waits, or if the line was silent while the page slept. */
  function hurry() {
    if (symbols.length > 0 && (retryTimer || silence.lasts() > dead * 0.75 || hasSlept())) connect();
  }

  /** The network is gone. */
  function offline() {
    if (symbols.length > 0 && !retryTimer) lost("offline");
  }

  /** A tick is missing. The next stream brings the newest of each symbol. */
  const gap = () => lost("gap");

  function wanted() {
    const { maxRate = null, on = null } = options;
    return { symbols, max_rate: maxRate, on };
  }

  function drop() {
    attempt = undefined;
    clearTimeout(retryTimer);
    clearTimeout(renewTimer);
    retryTimer = undefined;
    cut?.();
    cut = undefined;
    changes?.end();
    changes = undefined;
    isLive = isRefused = false;
  }

  const say = (connection, more) => on.state({ connection, ...more });

  async function connect() {
    drop();
    const current = (attempt = {});
    const isNative = options.isNative && !isExplained;
    isExplained = isSilent = false;
    silence.end();
    hasSlept();
    retry = undefined;
    bye = "ended";
    lookTimer ??= setInterval(look, Math.min(1_000, heartbeat * 250));
    say("connecting");
    let bearer;
    try {
      bearer = await getToken();
    } catch (error) {
      if (attempt === current) lost("token", { detail: error?.message });
    }
    const ticket = bearer && isNative && attempt === current ? await ask("/v1/tickets", "POST") : undefined;
    if (attempt !== current) return;
    if (ticket && ticket.status !== 201) return refused(ticket);
    const reader = {
      event,
      retry: (millis) => { retry = millis; },
      refused,
      ended: () => lost(bye),
    };
    asked = JSON.stringify(wanted());
    const address = addressOf(ticket?.ticket);
    cut = isNative
      ? readEventSource(world.EventSource, address, credentials === "include", reader)
      : readFetch(world.fetch, address, initOf(bearer, { accept: "text/event-stream" }), reader);
  }

  /**
   * The token in use, or a new one; undefined where there is none. One is asked for at a time; a function that does not answer
   * must not stop the stream for ever.
   */
  function getToken() {
    const mine = (promised ??= new Promise((resolve, reject) => {
      AbortSignal.timeout(REQUEST_MAX).onabort = reject;
      Promise.resolve(hasLogin ? token() : token).then(resolve, reject);
    }));
    mine.catch(() => { if (promised === mine) promised = undefined; });
    return mine;
  }

  /** What a request is sent with. A cookie beside a token would be a second credential, which the gateway refuses. */
  const initOf = (bearer, headers) =>
    bearer ? { credentials: "omit", headers: { ...headers, authorization: `Bearer ${bearer}` } } : { credentials, headers };

  /** Resolves to the status and JSON of an answer that is not a stream. */
  async function ask(path, method, body) {
    let status = 401; // No token could be had.
    try {
      const init = initOf(await getToken(), body && { "content-type": "application/json" });
      status = undefined;
      const answer = await world.fetch(url + path, { ...init, method, body, signal: AbortSignal.timeout(REQUEST_MAX) });
      return answer.ok ? { ...(await answer.json()), status: answer.status } : await refusal(answer);
    } catch {
      return { status }; // Not reachable.
    }
  }

  function addressOf(ticket) {
    const { maxRate, on, patch } = options;
    const query = [`symbols=${symbols}`, `heartbeat=${heartbeat}`];
    if (maxRate) query.push(`max_rate=${maxRate}`);
    if (on) query.push(`on=${on}`);
    if (patch) query.push("patch=1");
    if (ticket) query.push(`ticket=${ticket}`);
    if (lastId) query.push(`last_event_id=${encodeURIComponent(lastId)}`);
    return `${url}/v1/stream?${query.join("&")}`;
  }

  function event(name, data, id) {
    silence.end();
    // After a silence no price counts as live, and some symbols may not tick for days. A new stream brings the newest tick
    // of each at once; so does this one if the event is a hello.
    if (isSilent && name !== "hello") return connect();
    isSilent = false;
    if (id) lastId = id;
    if (name === "message" || name === "patch") return on.event(name, data, id);
    const current = attempt;
    const told = JSON.parse(data);
    if (told.unknown) isPartial = told.unknown.length > 0;
    if (name === "bye") bye = told.reason || bye;
    else if (name === "symbols") renewBefore(told.until);
    on.event(name, data, id);
    // A handler may have closed it.
    if (name !== "hello" || attempt !== current) return;
    say("live");
    if (attempt === current) begin(told);
  }

  /** A hello has come. */
  function begin(hello) {
    failures = 0;
    wasRefusedToken = false;
    ahead = hello.now / 1_000 - world.now();
    control = hello.control;
    const isOther = !isLive && asked !== JSON.stringify(wanted());
    isLive = true;
    if (control) {
      changes ??= changesOf((body) => ask(`/v1/streams/${control}`, "POST", body), {
        hasLogin,
        waits: (answer) => {
          // The stream itself goes on until its own token ends.
          if (answer.status === 401) promised = undefined;
          on.event("waits", JSON.stringify(answer), "");
        },
        // A new stream replaces it: where that cannot be opened either, the answer says why.
        failed: connect,
      }, world.random);
    }
    renewBefore(hello.until);
    if (!isOther && isCarriedBy(hello)) return;
    if (changes) changes.want(wanted());
    else if (isOther) connect();
  }

  /** Whether a stream carries the wanted list, as far as it can. */
  function isCarriedBy(hello) {
    const told = new Set([...hello.symbols, ...hello.unknown, ...(hello.denied ?? [])]);
    return symbols.length === told.size && symbols.every((symbol) => told.has(symbol));
  }

  /** Renews the stream before its credentials end: with a new token, or with the cookie that the page has by then. */
  function renewBefore(until) {
    clearTimeout(renewTimer);
    if (until === undefined) return;
    const left = until / 1_000 - ahead - world.now();
    const before = Math.min(RENEWED_BEFORE, left / 2);
    if (before < RENEWED_BEFORE_MIN) return;
    renewTimer = setTimeout(async () => {
      const current = attempt;
      const old = promised;
      promised = undefined;
      const isNew = await getToken().then(() => true, () => false);
      if (attempt !== current) return;
      if (isNew) changes?.want(wanted());
      else promised ??= old; // It is good until it ends.
      renewBefore(until);
    }, Math.min(left - before, TIMER_MAX));
  }

  /** Whether the machine has slept since it was last asked: meanwhile its monotonic clock may stand still, but not the wall's. */
  function hasSlept() {
    const before = drift;
    drift = world.date() - world.now();
    return drift - before > LATE;
  }

  function look() {
    const lasts = silence.look();
    if (!attempt) return;
    // What the line brings now may be as old as the sleep was long.
    if (hasSlept()) connect();
    else if (lasts > dead) lost("silent");
    else if (lasts > dead * 0.75 && !isSilent) {
      isSilent = true;
      say("silent");
    }
  }

  function lost(reason, more) {
    if (reason === "expired") promised = undefined;
    wait("lost", reason, more);
  }

  function wait(connection, reason, { after, ...more } = {}) {
    drop();
    isRefused = connection === "refused";
    // The page's function may return a better token soon.
    const isFinal = isRefused && !(more.status === 401 && hasLogin);
    const retryIn = Math.round(backoff({ failures, retry, after, isBusy: reason === "busy", isRefused: isFinal }, world.random()));
    failures += 1;
    retryTimer = setTimeout(connect, retryIn);
    say(connection, { reason, retryIn, ...more });
  }

  function refused(answer) {
    if (!answer) {
      isExplained = true;
      return connect();
    }
    const { status, kind, detail, after } = answer;
    const reason = kind || (status && `http-${status}`) || "ended";
    if (!/^4/.test(status) || PASSING.includes(status)) return lost(reason, { detail, after });
    if (kind === "unknown-parameter" && detail.startsWith("patch") && options.patch) {
      // A gateway that does not have patches yet.
      options = { ...options, patch: false };
      return connect();
    }
    if (status === 401) {
      promised = undefined;
      // It may have ended while the line was down.
      if (token && !wasRefusedToken) {
        wasRefusedToken = true;
        return connect();
      }
    }
    wait("refused", reason, { status, detail, after });
    if (ABSENT[kind]) on.absent(symbols, ABSENT[kind]);
  }

  return { want, set, close, hurry, offline, gap };
}
