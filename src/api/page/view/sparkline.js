// A line of up to the last two minutes in a cell, drawn on a canvas, so that the document does not change.

import { colour } from "./dom.js";

const SPAN_MILLIS = 120_000;
/** A page that was just opened shows a shorter span, stretched, but never less than this. */
const SPAN_MIN_MILLIS = 20_000;
const PADDING = 2;

/** Draws a row's prices up to `now`, in the colour of their direction; faint unless live. */
export function drawSparkline(canvas, row, now, live) {
  const ratio = devicePixelRatio;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (width === 0) return;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  if (row.history === null || row.history.length === 0 || Number.isNaN(now)) return;

  const span = Math.min(Math.max(now - row.history.oldest, SPAN_MIN_MILLIS), SPAN_MILLIS);
  const since = now - span;
  let [low, high, first, last] = [Infinity, -Infinity, NaN, NaN];
  row.history.each(since, (_, value) => {
    if (Number.isNaN(value)) return;
    if (Number.isNaN(first)) first = value;
    last = value;
    low = Math.min(low, value);
    high = Math.max(high, value);
  });
  const room = { width: width - 2 * PADDING * ratio, height: height - 2 * PADDING * ratio };
  const x = (time) => PADDING * ratio + (Math.max(time - since, 0) / span) * room.width;
  const y = (value) => PADDING * ratio + (high === low ? 0.5 : (high - value) / (high - low)) * room.height;

  context.beginPath();
  let open = false;
  let end = NaN;
  row.history.each(since, (time, value) => {
    if (Number.isNaN(value)) {
      // The last price holds until the interruption.
      if (open) context.lineTo(x(time), y(end));
      open = false;
      return;
    }
    // A price holds until the next one.
    if (open) context.lineTo(x(time), y(end));
    if (open) context.lineTo(x(time), y(value));
    else context.moveTo(x(time), y(value));
    open = true;
    end = value;
  });
  if (open && live) context.lineTo(x(now), y(end));
  context.lineWidth = 1.25 * ratio;
  context.lineJoin = "round";
  context.strokeStyle = colour(!live ? "--faint" : last > first ? "--up" : last < first ? "--down" : "--faint");
  context.stroke();
}
