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

/** Calls `draw` once in the next animation frame, however often it was asked. A hidden page has no frames. */
export class Frame {
  #asked = false;
  #draw;

  constructor(draw) {
    this.#draw = draw;
  }

  ask() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.#draw();
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
