// Controls of the head that change how the page looks or how fast the stream is.

import { RATES, save } from "../choices.js";
import { forgetColours } from "./dom.js";

/** The slider of the rate. `follow` is called when the person has chosen another. */
export function controlRate(choices, follow) {
  const [slider, shown] = ["max-rate", "max-rate-text"].map((id) => document.getElementById(id));
  slider.max = RATES.length - 1;
  slider.value = RATES.indexOf(choices.maxRate);
  const text = () => {
    const rate = RATES[slider.value];
    shown.textContent = slider.ariaValueText = rate === null ? "every tick" : `${rate} a second`;
    return rate;
  };
  text();
  slider.addEventListener("input", text);
  slider.addEventListener("change", () => {
    choices.maxRate = text();
    save(choices, "maxRate");
    follow();
  });
}

/** The button of the theme. `restyle` is called when the colours have changed. */
export function controlTheme(restyle) {
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const themes = ["system", "dark", "light"];
  const show = () => {
    const theme = root.dataset.theme ?? "system";
    button.querySelector("span").textContent = theme;
    button.ariaLabel = `Colours: ${theme}`;
    forgetColours();
    restyle();
  };
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme ?? "system") + 1) % themes.length];
    if (next === "system") delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      localStorage.setItem("tickfan.theme", next);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  show();
}
