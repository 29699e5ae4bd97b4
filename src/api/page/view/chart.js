// The chart of one symbol's recent prices, drawn by uPlot (MIT, Leon Sorokin), which is a script of its own:
// `window.uPlot`.

import { timeOfDay } from "../words.js";
import { colour } from "./dom.js";

const HEIGHT = 220;
/** The shortest time span and the distances between grid lines, in seconds. */
const SPAN_MIN = 10;
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600];
/** Half the width of a time label, in px: closer to the left edge it would be cut off. */
const TIME_HALF = 26;
const FONT = "11px ui-sans-serif, system-ui, sans-serif";

export class Chart {
  #holder = document.getElementById("chart");
  #reading = document.getElementById("reading");
  #plot = null;
  #decimals = 2;

  constructor() {
    new ResizeObserver(() => this.#fit()).observe(this.#holder);
  }

  /** Draws a row's prices up to `now`. */
  draw(row, now) {
    const [times, values] = [[], []];
    row.history?.each(0, (time, value) => {
      // At an interruption the line ends.
      times.push(time / 1000);
      values.push(Number.isNaN(value) ? null : value);
    });
    if (row.cut === null && row.tick?.state === "live" && values.length > 0 && now / 1000 > times.at(-1)) {
      times.push(now / 1000);
      values.push(values.at(-1));
    }
    if (this.#decimals !== row.decimals) this.restyle();
    this.#decimals = row.decimals;
    this.#plot ??= this.#create();
    this.#plot.setData([times, values]);
    this.#holder.toggleAttribute("data-empty", values.length === 0);
    this.#holder.ariaLabel = values.length === 0
      ? `No price of ${row.symbol} yet`
      : `Chart of the last prices of ${row.symbol} over the last ${Math.max(Math.round((times.at(-1) - times[0]) / 60), 1)} minutes`;
  }

  /** The colours or the decimals have changed: the next drawing makes a new plot. */
  restyle() {
    this.#plot?.destroy();
    this.#plot = null;
  }

  #create() {
    const { uPlot } = window;
    const axis = { stroke: () => colour("--faint"), font: FONT, ticks: { show: false }, grid: { stroke: colour("--line"), width: 1 } };
    const fill = colour("--accent").replace("rgb(", "rgba(").replace(")", ", 0.12)");
    return new uPlot({
      width: this.#holder.clientWidth,
      height: HEIGHT,
      padding: [10, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { x: { range: (plot) => span(plot.data[0]) }, y: { range: (_, low, high) => padded(low, high) } },
      axes: [
        { ...axis, size: 26, space: 70, incrs: TIME_STEPS, values: (_, times) => times.map((time) => (time === null ? null : timeOfDay(time * 1000))),
          filter: (plot, times) => times.map((time) => (plot.valToPos(time, "x") < TIME_HALF ? null : time)) },
        { ...axis, side: 1, incrs: steps(this.#decimals), size: (_, labels) => 16 + 6.6 * Math.max(...(labels ?? [""]).map(({ length }) => length)),
          values: (_, ticks) => ticks.map((value) => this.#price(value)) },
      ],
      series: [{}, {
        stroke: colour("--accent"), width: 1.5, fill, points: { show: alone, width: 0, size: 5, fill: colour("--accent") }, paths: uPlot.paths.stepped({ align: 1 }), spanGaps: false,
      }],
      hooks: { setCursor: [(plot) => this.#read(plot)] },
    }, [[], []], this.#holder);
  }

  #read(plot) {
    const index = plot.cursor.idx;
    const [times, values] = plot.data;
    const known = index != null && values[index] != null;
    this.#reading.textContent = known
      ? `${new Date(times[index] * 1000).toTimeString().slice(0, 8)}  ${this.#price(values[index])}` : "";
  }

  /** A rounded price: the chart shows the shape, the list shows the digits. */
  #price(value) {
    return value.toLocaleString("en", { minimumFractionDigits: this.#decimals, maximumFractionDigits: this.#decimals });
  }

  #fit() {
    const width = this.#holder.clientWidth;
    if (width > 0) this.#plot?.setSize({ width, height: HEIGHT });
  }
}

/** Whether there is only one price, so that a line would not be visible. */
function alone(plot) {
  return plot.data[1].filter((value) => value !== null).length === 1;
}

/** The range of the time axis. */
function span(times) {
  const to = times.at(-1) ?? SPAN_MIN;
  return [Math.min(times[0] ?? 0, to - SPAN_MIN), to];
}

/** Round distances between grid lines, not finer than the prices. */
function steps(decimals) {
  const powers = Array.from({ length: decimals + 9 }, (_, index) => 10 ** (index - decimals));
  return powers.flatMap((power) => [power, 2 * power, 5 * power]);
}

/** The range of the price axis: with a margin, and not empty for a single price. */
function padded(low, high) {
  if (low == null || high == null) return [0, 1];
  const room = (high - low) * 0.08 || Math.abs(high) * 0.0005 || 1;
  return [low - room, high + room];
}
