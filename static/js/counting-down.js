// Says how long a quote is still good, by the server's clock, and loads the page anew at its end.
export function countDown(element, { now, expires_at }) {
  if (element === null || expires_at === null) return;
  const left = element.querySelector("[data-left]");
  const ends = performance.now() / 1000 + expires_at - now;
  const tick = () => {
    const seconds = Math.round(ends - performance.now() / 1000);
    if (!element.isConnected) {
      clearInterval(ticking);
    } else if (seconds <= 0) {
      clearInterval(ticking);
      location.replace(element.dataset.reload || location.href);
    } else {
      left.textContent = ` · ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    }
  };
  const ticking = setInterval(tick, 1000);
  tick();
}
