// Keeps one stream open: connects, signs on, changes its list, notices silence, reconnects.

import { backoff } from "./backoff.js";
import { Changes } from "./changes.js";
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
/** Answers that may pass by themselves. */
const PASSING = [408, 429];
const ABSENT = { "no-such-symbol": "unknown", "not-entitled": "denied" };

/** The silence, in ms, after which a stream is given up; after three quarters of it no price counts as live. */
export const patience = (heartbeat) => heartbeat * 2_000 + 1_000;

/** Measures a silence, by looks at it. */
export class Silence {
  #now;
  #begun;
  #looked;
  #late;

  constructor({ now }) {
    this.#now = now;
    this.end();
  }

  /** Something has come. */
  end() {
    this.#begun = this.#now();
  }

  /** How long it lasts, in ms. */
  get length() {
    return this.#now() - this.#begun;
  }

  /**
   * The same for a look at it. The first late one sees none: after a long task of the page, or where it was frozen, events
   * may wait to be read, and come before the next look. A hidden page's looks are all late.
   */
  look() {
    const now = this.#now();
    const late = now - this.#looked < LATE ? undefined : this.#begun;
    this.#looked = now;
    const isFirst = late !== this.#late;
    this.#late = late;
    return late !== undefined && isFirst ? 0 : this.length;
  }
}

export class Stream {
  #symbols = [];
  #options;
  #on;
  #world;
  /** What marks the attempt that counts; undefined while there is none. */
  #attempt;
  /** Closes the transport. */
  #close;
  #changes;
  #retryTimer;
  #renewTimer;
  #lookTimer;
  /** How many attempts have failed since a stream was open. */
  failures = 0;
  /** The last event, behind which the next stream resumes. */
  lastId = "";
  #dead;
  #silence;
  /** How far the wall's clock is ahead of ours, in ms, at the last look. */
  #drift = NaN;
  #isSilent = false;
  #isLive = false;
  #isRefused = false;
  /** An EventSource was refused, but cannot say why: the next attempt is a fetch, which can. */
  #isExplained = false;
  /** What the attempt asked for, and the name by which its stream is changed. */
  #asked = "";
  #control = "";
  #retry;
  #bye = "";
  /** The promise of the token that is used until it ends or is refused. */
  #token;
  #wasRefusedToken = false;
  /** How far the gateway's clock is ahead of ours, in ms. */
  #ahead = NaN;

  /** `on` has event(name, data, id), state(state) and absent(symbols, state). `world` has fetch, EventSource, now, date and random. */
  constructor(options, on, world) {
    this.#options = options;
    this.#dead = patience(options.heartbeat);
    this.#on = on;
    this.#world = world;
    this.#silence = new Silence(world);
  }

  /** Streams these symbols from now on, over the open stream if there is one; none: closes it. */
  want(symbols) {
    // A component that is drawn again moves its symbols to the end.
    symbols = [...symbols].sort();
    const isSame = `${symbols}` === `${this.#symbols}`;
    this.#symbols = symbols;
    if (symbols.length === 0) {
      this.close();
      this.#say("idle");
    } else if (!isSame) this.#follow();
  }

  /** Takes other values of maxRate and on. */
  set(options) {
    this.#options = { ...this.#options, ...options };
    if (this.#symbols.length > 0) this.#follow();
  }

  #follow() {
    if (this.#changes) this.#changes.want(this.#wanted());
    // An attempt that has no hello yet is compared with the list then; a wait goes on, unless another list may be allowed.
    else if (this.#isLive || this.#isRefused || !(this.#attempt || this.#retryTimer)) this.#connect();
  }

  close() {
    this.#symbols = [];
    this.#drop();
    clearInterval(this.#lookTimer);
    this.#lookTimer = undefined;
  }

  /** Tries at once if it waits, or if the line was silent while the page slept. */
  hurry() {
    if (this.#symbols.length > 0 && (this.#retryTimer || this.#silence.length > this.#dead * 0.75 || this.#hasSlept())) this.#connect();
  }

  /** The network is gone. */
  offline() {
    if (this.#symbols.length > 0 && !this.#retryTimer) this.#lost("offline");
  }

  /** A tick is missing. The next stream brings the newest of each symbol. */
  gap() {
    this.#lost("gap");
  }

  #wanted() {
    const { maxRate = null, on = null } = this.#options;
    return { symbols: this.#symbols, max_rate: maxRate, on };
  }

  #drop() {
    this.#attempt = undefined;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#renewTimer);
    this.#retryTimer = undefined;
    this.#close?.();
    this.#close = undefined;
    this.#changes?.end();
    this.#changes = undefined;
    this.#isLive = this.#isRefused = false;
  }

  #say(connection, more) {
    this.#on.state({ connection, ...more });
  }

  async #connect() {
    this.#drop();
    const attempt = (this.#attempt = {});
    const isCurrent = () => this.#attempt === attempt;
    const { heartbeat } = this.#options;
    const isNative = this.#options.isNative && !this.#isExplained;
    this.#isExplained = false;
    this.#silence.end();
    this.#hasSlept();
    this.#isSilent = false;
    this.#retry = undefined;
    this.#bye = "";
    this.#lookTimer ??= setInterval(() => this.#look(), Math.min(1_000, heartbeat * 250));
    this.#say("connecting");
    let token;
    try {
      token = await this.#getToken();
    } catch (error) {
      if (isCurrent()) this.#lost("token", { detail: error?.message });
    }
    const ticket = token && isNative && isCurrent() ? await this.#ask("/v1/tickets", "POST") : undefined;
    if (!isCurrent()) return;
    if (ticket && ticket.status !== 201) return this.#refused(ticket);
    const on = {
      event: (...event) => this.#event(...event),
      retry: (millis) => { this.#retry = millis; },
      refused: (answer) => this.#refused(answer),
      ended: () => this.#lost(this.#bye || "ended"),
    };
    this.#asked = JSON.stringify(this.#wanted());
    const url = this.#url(ticket?.ticket);
    this.#close = isNative
      ? readEventSource(this.#world.EventSource, url, this.#options.credentials === "include", on)
      : readFetch(this.#world.fetch, url, this.#init(token, { accept: "text/event-stream" }), on);
  }

  /** The token in use, or a new one; undefined where there is none. One is asked for at a time. */
  #getToken() {
    const { token } = this.#options;
    const asked = (this.#token ??= (async () => typeof token === "function" ? token() : token)());
    asked.catch(() => { if (this.#token === asked) this.#token = undefined; });
    return asked;
  }

  /** What a request is sent with. A cookie beside a token would be a second credential, which the gateway refuses. */
  #init(token, headers = {}) {
    return token
      ? { credentials: "omit", headers: { ...headers, authorization: `Bearer ${token}` } }
      : { credentials: this.#options.credentials, headers };
  }

  /** Resolves to the status and JSON of an answer that is not a stream. */
  async #ask(path, method, body) {
    try {
      const init = this.#init(await this.#getToken(), body && { "content-type": "application/json" });
      const answer = await this.#world.fetch(this.#options.url + path, { ...init, method, body, signal: AbortSignal.timeout(REQUEST_MAX) });
      return answer.ok ? { ...(await answer.json()), status: answer.status } : await refusal(answer);
    } catch {
      return {}; // Not reachable.
    }
  }

  #url(ticket) {
    const { url, heartbeat, maxRate, on, patch } = this.#options;
    const query = [`symbols=${this.#symbols}`, `heartbeat=${heartbeat}`];
    if (maxRate) query.push(`max_rate=${maxRate}`);
    if (on) query.push(`on=${on}`);
    if (patch) query.push("patch=1");
    if (ticket) query.push(`ticket=${ticket}`);
    if (this.lastId) query.push(`last_event_id=${encodeURIComponent(this.lastId)}`);
    return `${url}/v1/stream?${query.join("&")}`;
  }

  #event(name, data, id) {
    this.#silence.end();
    // After a silence no price counts as live, and some symbols may not tick for days. A new stream brings the newest tick
    // of each at once; so does this one if the event is a hello.
    if (this.#isSilent && name !== "hello") return this.#connect();
    this.#isSilent = false;
    if (id) this.lastId = id;
    if (name === "message" || name === "patch") return this.#on.event(name, data, id);
    const attempt = this.#attempt;
    const told = JSON.parse(data);
    if (name === "bye") this.#bye = told.reason;
    else if (name === "symbols") this.#renewBefore(told.until);
    this.#on.event(name, data, id);
    // A handler may have closed it.
    if (name !== "hello" || this.#attempt !== attempt) return;
    this.#say("live");
    if (this.#attempt === attempt) this.#hello(told);
  }

  #hello(hello) {
    this.failures = 0;
    this.#wasRefusedToken = false;
    this.#ahead = hello.now / 1_000 - this.#world.now();
    this.#control = hello.control;
    const isFirst = !this.#isLive;
    this.#isLive = true;
    if (hello.control) {
      this.#changes ??= new Changes((body) => this.#ask(`/v1/streams/${this.#control}`, "POST", body), {
        waits: (answer) => this.#on.event("waits", JSON.stringify(answer), ""),
        // A new stream tells all others: where it cannot be opened either, its answer says why.
        failed: (status) => {
          if (status === 401) this.#token = undefined;
          this.#connect();
        },
      }, this.#world.random);
    }
    this.#renewBefore(hello.until);
    const isOther = isFirst && this.#asked !== JSON.stringify(this.#wanted());
    if (!isOther && this.#isCarriedBy(hello)) return;
    if (this.#changes) this.#changes.want(this.#wanted());
    else if (isOther) this.#connect();
  }

  /** Whether a stream carries the wanted list, as far as it can. */
  #isCarriedBy({ symbols, unknown, denied = [] }) {
    const told = new Set([...symbols, ...unknown, ...denied]);
    return this.#symbols.length === told.size && this.#symbols.every((symbol) => told.has(symbol));
  }

  /** Renews the stream before its credentials end: with a new token, or with the cookie that the page has by then. */
  #renewBefore(until) {
    clearTimeout(this.#renewTimer);
    if (until === undefined) return;
    const left = until / 1_000 - this.#ahead - this.#world.now();
    const before = Math.min(RENEWED_BEFORE, left / 2);
    if (before < RENEWED_BEFORE_MIN) return;
    this.#renewTimer = setTimeout(async () => {
      const attempt = this.#attempt;
      const token = this.#token;
      this.#token = undefined;
      const isNew = await this.#getToken().then(() => true, () => false);
      if (this.#attempt !== attempt) return;
      if (isNew) this.#changes?.want(this.#wanted());
      else this.#token ??= token; // It is good until it ends.
      this.#renewBefore(until);
    }, Math.min(left - before, TIMER_MAX));
  }

  /** Whether the machine has slept since it was last asked: meanwhile its monotonic clock may stand still, but not the wall's. */
  #hasSlept() {
    const before = this.#drift;
    this.#drift = this.#world.date() - this.#world.now();
    return this.#drift - before > LATE;
  }

  #look() {
    const silence = this.#silence.look();
    if (!this.#attempt) return;
    // What the line brings now may be as old as the sleep was long.
    if (this.#hasSlept()) this.#connect();
    else if (silence > this.#dead) this.#lost("silent");
    else if (silence > this.#dead * 0.75 && !this.#isSilent) {
      this.#isSilent = true;
      this.#say("silent");
    }
  }

  #lost(reason, more) {
    if (reason === "expired") this.#token = undefined;
    this.#wait("lost", reason, more);
  }

  #wait(connection, reason, { after, ...more } = {}) {
    this.#drop();
    this.#isRefused = connection === "refused";
    const cause = { failures: this.failures, retry: this.#retry, after, isBusy: reason === "busy", isRefused: this.#isRefused };
    const retryIn = Math.round(backoff(cause, this.#world.random()));
    this.failures += 1;
    this.#retryTimer = setTimeout(() => this.#connect(), retryIn);
    this.#say(connection, { reason, retryIn, ...more });
  }

  #refused(refusal) {
    if (!refusal) {
      this.#isExplained = true;
      return this.#connect();
    }
    const { status, kind, detail, after } = refusal;
    if (!(status >= 400 && status < 500) || PASSING.includes(status)) return this.#lost(kind || (status && `http-${status}`) || "ended", { detail, after });
    if (kind === "unknown-parameter" && detail.startsWith("patch") && this.#options.patch) {
      // A gateway that does not have patches yet.
      this.#options = { ...this.#options, patch: false };
      return this.#connect();
    }
    if (status === 401) {
      this.#token = undefined;
      // It may have ended while the line was down.
      if (this.#options.token && !this.#wasRefusedToken) {
        this.#wasRefusedToken = true;
        return this.#connect();
      }
    }
    this.#wait("refused", kind || `http-${status}`, { status, detail, after });
    const absent = ABSENT[kind];
    if (absent) this.#on.absent(this.#symbols, absent);
  }
}
