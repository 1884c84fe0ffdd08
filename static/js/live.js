// Keeps `[data-live]` fresh from its address while the page is looked at. Bounded: it stops after an
// hour, and after errors waits longer and longer. Without scripts there is a link to reload.

const EVERY_MS = 2000;
const LONGEST_MS = 60_000;
const UNTIL_MS = 60 * 60 * 1000;

for (const place of document.querySelectorAll("[data-live]")) {
  const every = Number(place.dataset.liveSeconds ?? 0) * 1000 || EVERY_MS;
  const end = Date.now() + UNTIL_MS;
  let wait = every;
  let timer = 0;

  const later = () => {
    clearTimeout(timer);
    if (!document.hidden && Date.now() < end) timer = setTimeout(refresh, wait);
  };

  const refresh = async () => {
    try {
      const answer = await fetch(place.dataset.live, { headers: { "X-Live": "1" }, redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      const text = await answer.text();
      // Not under somebody's hands: a link in it that has the focus stays until it is left.
      if (!place.contains(document.activeElement)) place.innerHTML = text;
      wait = every;
    } catch {
      wait = Math.min(2 * wait, LONGEST_MS);
    }
    later();
  };

  document.addEventListener("visibilitychange", later);
  later();
}
