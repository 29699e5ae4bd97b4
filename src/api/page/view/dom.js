// What all views share to change the document.

/** An element with its properties, such as `className` or `role`, and its children. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** A text node that is written only if its content changes. */
export class Text {
  #node = document.createTextNode("");
  #shown = "";

  constructor(parent) {
    parent.append(this.#node);
  }

  write(text) {
    if (text === this.#shown) return;
    this.#shown = text;
    this.#node.data = text;
  }
}

/** A text with a style. Both change in one write: a new style replaces the whole element. */
export class Styled {
  #parent;
  #inner = null;
  #text = "";
  #look = "";

  constructor(parent) {
    this.#parent = parent;
  }

  write(text, look) {
    if (this.#inner !== null && look === this.#look) {
      if (text !== this.#text) this.#inner.firstChild.data = text;
    } else {
      this.#inner = element("span", { className: look }, document.createTextNode(text));
      this.#parent.replaceChildren(this.#inner);
    }
    this.#text = text;
    this.#look = look;
  }
}

/** Sets a `data-` attribute if its value changes. */
export function mark(target, name, value) {
  if (target.dataset[name] !== value) target.dataset[name] = value;
}

/** Moves elements within `parent`: one that is moved loses the focus, and gets it back where it is then. */
export function keepingFocus(parent, move) {
  const focused = document.activeElement;
  const inside = parent.contains(focused);
  move();
  if (inside && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

/** After a frame the page draws nothing for this many times as long as the frame took, so that it has time for all else. */
const REST = 4;
/** But at most for so long, in ms. */
const REST_MAX = 200;
/** The time between two frames of most screens, in ms. */
const VSYNC = 16;

/**
 * Calls `draw` in an animation frame, once however often it was asked: in the next one, or, where many changes make frames
 * expensive, after a rest. A hidden page has no frames.
 */
export class Frame {
  #asked = false;
  #draw;
  #rest = 0;
  #next = 0;
  #end = new MessageChannel();

  constructor(draw) {
    this.#draw = draw;
    // The message is read when the browser has done what the frame asked for: styles, layout, paint.
    this.#end.port1.onmessage = ({ data: start }) => {
      const now = performance.now();
      this.#rest = Math.min((now - start) * REST, REST_MAX);
      this.#next = now + this.#rest;
    };
  }

  /** Whether frames are so expensive that some are left out. */
  get isBusy() {
    return this.#rest > VSYNC;
  }

  ask() {
    if (this.#asked) return;
    this.#asked = true;
    const wait = this.#next - performance.now();
    if (wait > VSYNC) setTimeout(() => this.#request(), wait - VSYNC);
    else this.#request();
  }

  #request() {
    requestAnimationFrame(() => {
      this.#asked = false;
      const start = performance.now();
      this.#draw();
      this.#end.port2.postMessage(start);
    });
  }
}

const probe = element("span", { className: "probe" });
const colours = new Map();

/** A colour of the style sheet for a canvas, which does not understand `light-dark()`. */
export function colour(name) {
  let found = colours.get(name);
  if (found === undefined) {
    if (!probe.isConnected) document.body.append(probe);
    probe.style.color = `var(${name})`;
    found = getComputedStyle(probe).color;
    colours.set(name, found);
  }
  return found;
}

/** To be called after a change between dark and light. */
export function forgetColours() {
  colours.clear();
}

export const calm = matchMedia("(prefers-reduced-motion: reduce)");
