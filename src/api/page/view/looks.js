// The pane with the choice of columns and of lists.

import { COLUMNS } from "../looks.js";
import { element } from "./dom.js";

const byId = (id) => document.getElementById(id);

export class Looks {
  #table = byId("watchlist");
  #lists = byId("lists");
  #on;

  /** `on` has hide (of a list of columns), open and drop (of a list's name), and keep (of the list that is shown, by a name). */
  constructor(on, hidden) {
    this.#on = on;
    const boxes = new Map(Object.entries(COLUMNS).map(([column, name]) => {
      const box = element("input", { type: "checkbox", checked: !hidden.includes(column) });
      byId("columns").append(element("label", {}, box, name));
      box.addEventListener("change", () => on.hide([...boxes].filter(([, { checked }]) => !checked).map(([column]) => column)));
      return [column, box];
    }));
    byId("keep").addEventListener("submit", (event) => {
      event.preventDefault();
      on.keep(byId("list-name").value);
      byId("list-name").value = "";
    });
  }

  hide(columns) {
    this.#table.dataset.hidden = columns.join(" ");
  }

  list(lists) {
    this.#lists.replaceChildren(...lists.map(({ name, symbols }) => {
      const open = element("button", { type: "button", className: "open", title: symbols.join(", ") }, name, element("span", {}, `${symbols.length}`));
      const drop = element("button", { type: "button", className: "drop", title: `Forget ${name}`, ariaLabel: `Forget ${name}` }, "×");
      open.addEventListener("click", () => {
        byId("looks").hidePopover();
        this.#on.open(name);
      });
      drop.addEventListener("click", () => this.#on.drop(name));
      return element("li", {}, open, drop);
    }));
  }
}
