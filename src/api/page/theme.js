// Runs before the first paint, so that a dark page never flashes bright. That is why it is not a module.
try {
  const kept = localStorage.getItem("tickfan.theme");
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
} catch {
  // Without storage the system's theme applies.
}
