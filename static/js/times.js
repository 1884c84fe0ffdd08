// Times are written in UTC. What they are where the reader is, and how far off, is said on top; some
// say either beside themselves. No words of its own: the browser has them.
const STEPS = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
const language = document.documentElement.lang || undefined;
const locale = language === "en" ? "en-GB" : language; // The site's English has the day before the month.
const absolute = new Intl.DateTimeFormat(locale, {
  dateStyle: "medium",
  timeStyle: "long",
});
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });

function fromNow(moment) {
  const seconds = Math.round((moment - Date.now()) / 1000);
  const [unit, length] = STEPS.find((step) => Math.abs(seconds) >= step[1]) ?? STEPS.at(-1);
  return relative.format(Math.round(seconds / length), unit);
}

// As they are looked at: pages are drawn anew while they are open.
document.addEventListener("pointerover", ({ target }) => {
  const time = target.closest("time[datetime]");
  if (time === null) return;
  const moment = new Date(time.dateTime);
  time.title = `${absolute.format(moment)} · ${fromNow(moment)}`;
});

function sayBeside(time, words) {
  const said = document.createElement("span");
  said.className = "quiet small";
  said.textContent = ` ${words}`;
  time.after(said);
}

for (const time of document.querySelectorAll("time[data-local]")) {
  const moment = new Date(time.dateTime);
  if (moment.getTimezoneOffset() !== 0) sayBeside(time, absolute.format(moment));
}

for (const time of document.querySelectorAll("time[data-relative]")) {
  sayBeside(time, `(${fromNow(new Date(time.dateTime))})`);
}
