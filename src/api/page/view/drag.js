// Reorders rows by their grips, with mouse, pen or finger. The rows move while dragged; the list gets the order at the
// end, if it is another one.

/** Watches the grips in `body`. `settle` gets the symbols in a new order; `restore` puts the rows back after a cancelled drag. */
export function dragRows(body, { settle, restore }) {
  let dragged = null;
  let before = null;

  const order = () => [...body.rows].map((line) => line.dataset.symbol);
  const end = (keep) => {
    if (dragged === null) return;
    delete dragged.dataset.dragged;
    dragged = null;
    if (!keep) restore();
    else if (order().join() !== before.join()) settle(order());
  };

  body.addEventListener("pointerdown", (event) => {
    if (!event.target.matches(".grip") || event.button !== 0) return;
    event.preventDefault();
    event.target.setPointerCapture(event.pointerId);
    before = order();
    dragged = event.target.closest("tr");
    dragged.dataset.dragged = "";
  });
  body.addEventListener("pointermove", ({ clientY }) => {
    if (dragged === null) return;
    const middle = (line) => line.getBoundingClientRect().top + line.getBoundingClientRect().height / 2;
    const previous = dragged.previousElementSibling;
    const next = dragged.nextElementSibling;
    // The other rows move, not the dragged one: an element that leaves the document loses the pointer.
    if (previous !== null && clientY < middle(previous)) {
      const passed = [];
      for (let line = previous; line !== null && clientY < middle(line); line = line.previousElementSibling) passed.push(line);
      dragged.after(...passed.reverse());
    } else if (next !== null && clientY > middle(next)) {
      const passed = [];
      for (let line = next; line !== null && clientY > middle(line); line = line.nextElementSibling) passed.push(line);
      dragged.before(...passed);
    }
  });
  body.addEventListener("pointerup", () => end(true));
  body.addEventListener("pointercancel", () => end(false));
  addEventListener("keydown", ({ key }) => { if (key === "Escape") end(false); });
}
