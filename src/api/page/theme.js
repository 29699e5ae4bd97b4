// Before anything is drawn, so that a page that is kept dark never flashes bright: the only script that is no module.
try {
  const kept = localStorage.getItem("tickfan.theme");
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
} catch {
  // The browser keeps nothing: the system chooses.
}
