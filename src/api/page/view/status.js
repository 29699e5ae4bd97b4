// The line above the list: the state of the connection, the origin of the prices, the rate and the delay of ticks.

import { delay, latenessOfAll, origin, timeOfDay } from "../words.js";
import { Text, mark } from "./dom.js";

const byId = (id) => document.getElementById(id);

export class Status {
  #pill = byId("pill");
  #pillText = new Text(byId("pill-text"));
  #origin = byId("origin");
  #table = byId("watchlist");
  #originText = new Text(this.#origin);
  #notice = byId("notice");
  #noticeText = new Text(byId("notice-text"));
  #noticeTools = byId("notice-tools");
  #subject = "";
  #rate = new Text(byId("rate"));
  #delay = new Text(byId("delay"));

  /** Draws the link, as the stream reports it, and the states of the rows. */
  draw(link, store, now) {
    const states = [...store.rows.values()].map(({ tick, cut }) => (cut === null ? tick?.state : "cut"));
    const stale = states.filter((state) => state === "stale").length;
    const allStale = stale > 0 && stale === states.length;
    mark(this.#pill, "link", link.name === "live" && allStale ? "stale" : link.name);
    mark(this.#pill, "some", stale > 0 ? "stale" : "");
    this.#pillText.write(this.#text(link, stale, allStale, now));

    const ticks = [...store.rows.values()].filter(({ tick }) => tick !== null).map(({ tick }) => tick);
    const origins = new Set(ticks.map((tick) => tick.origin));
    const named = [...origins].filter((name) => name !== undefined).map(origin);
    const unnamed = named.length === 0;
    if (this.#origin.hidden !== unnamed) this.#origin.hidden = unnamed;
    mark(this.#table, "origins", origins.size > 1 ? "mixed" : "");
    this.#originText.write(origins.size > 1 ? `some prices ${named.join(", ")}` : `${named[0]} prices${latenessOfAll(ticks)}`);
  }

  #text({ name, at, why = "", since }, stale, allStale, now) {
    if (name === "live") return allStale ? "all stale" : stale > 0 ? `live, ${stale} stale` : "live";
    const because = why === "" ? "" : `: ${why}`;
    if (name === "reconnecting" && at !== undefined) {
      return `reconnecting in ${Math.max(Math.ceil((at - now) / 1_000), 0)} s${because}`;
    }
    if (name === "paused") return `paused at ${timeOfDay(since)}`;
    if (name === "idle") return "no symbols";
    if (name === "signed-out") return "sign-on needed";
    return name === "ended" ? name : name + because;
  }

  drawMeter({ rate, p50, p99 }) {
    this.#rate.write(Number.isNaN(rate) ? "–" : `${rate < 10 ? rate.toFixed(1) : Math.round(rate)}/s`);
    this.#delay.write(Number.isNaN(p50) ? "–" : `${delay(p50)} · p99 ${delay(p99)}`);
  }

  /** Shows a notice about `subject`, which screen readers read; `action` is a button beside it. */
  notify(subject, text, action) {
    this.#subject = subject;
    this.#notice.hidden = false;
    this.#noticeText.write(text);
    this.#noticeTools.replaceChildren(...(action === undefined ? [] : [action]));
  }

  /** Hides the notice about a subject, by default whatever it is about. */
  dismiss(subject = this.#subject) {
    if (subject === this.#subject) this.#notice.hidden = true;
  }
}
