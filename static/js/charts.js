// Draws a chart from each table on the page that asks for one, and folds the table away behind it.
//
//   <figure class="chart"><figcaption>Calls</figcaption>
//     <table data-chart="bars" data-unit="bytes">
//       <thead><tr><th>Time</th><th>Up</th><th>Down</th></tr></thead>
//       <tbody><tr><th><time datetime="2026-11-21T10:00:00Z">…</time></th><td data-value="1200">1.2 kB</td>…
//
// `data-chart` is `bars`, `line` or `stack`; `data-unit` is `bytes`, `ms`, `%` or a word. The first
// column is the time, the others are series; a cell's value is its `data-value`, else its text.
// Needs static/vendor/uplot. Without scripts, and for screen readers, the table says it all.

const HEIGHT = 200;
const charts = new Map();

// The site's English has the day before the month.
const language = document.documentElement.lang || "en";
const locale = language === "en" ? "en-GB" : language;
const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const compact = new Intl.NumberFormat(locale, {
  notation: "compact",
  maximumFractionDigits: 1,
});

const clock = new Intl.DateTimeFormat(locale, {
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const day = new Intl.DateTimeFormat(locale, {
  day: "numeric",
  month: "short",
});

function moment(seconds) {
  const at = new Date(seconds * 1000);
  return at.getHours() || at.getMinutes() ? clock.format(at) : day.format(at);
}

function words(value, unit) {
  if (value == null) return "–";
  if (unit === "bytes") {
    const power = Math.min(4, Math.floor(Math.log10(Math.max(1, Math.abs(value))) / 3));
    return `${+(value / 1000 ** power).toFixed(1)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
  }
  return unit === "ms" || unit === "%" ? `${compact.format(value)} ${unit}` : compact.format(value);
}

function read(table) {
  const rows = [...table.tBodies[0].rows].map((row) => [...row.cells]);
  const time = (cell) => Date.parse(cell.querySelector("time").dateTime) / 1000;
  const value = (cell) => {
    const text = cell.dataset.value ?? cell.textContent.replaceAll(",", "").trim();
    return text === "" ? null : Number(text);
  };
  rows.sort((a, b) => time(a[0]) - time(b[0]));
  const names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent.trim());
  return {
    names,
    times: rows.map((row) => time(row[0])),
    columns: names.map((_, index) => rows.map((row) => value(row[index + 1]))),
  };
}

function stacked(columns) {
  const sums = columns.map((column) => [...column]);
  for (let index = 1; index < sums.length; index += 1)
    sums[index] = sums[index].map((value, at) => (value ?? 0) + (sums[index - 1][at] ?? 0));
  return sums;
}

function options(table, told, width) {
  const kind = table.dataset.chart;
  const unit = table.dataset.unit ?? "";
  const paths = kind === "line" ? undefined : uPlot.paths.bars({ size: [0.72, 28], radius: 0.15 });
  const axis = {
    stroke: token("--ink-soft"),
    font: `12px ${token("--sans")}`,
    grid: { stroke: token("--line"), width: 1 },
    ticks: { show: false },
  };
  const series = told.names.map((name, index) => {
    const color = token(`--chart-${(index % 5) + 1}`);
    return {
      label: name,
      stroke: color,
      fill: kind === "line" ? undefined : color,
      width: kind === "line" ? 2 : 0,
      points: { show: kind === "line" && told.times.length < 3 },
      paths,
      value: (_plot, _value, _series, at) => (at == null ? "" : words(told.columns[index][at], unit)),
    };
  });
  // Of a stack the tallest is drawn first, so that the others stand before it.
  if (kind === "stack") series.reverse();
  return {
    width,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    hooks: {
      setCursor: [(one) => one.root.parentElement.classList.toggle("pointed-at", one.cursor.idx != null)],
    },
    cursor: { points: { show: kind === "line" }, drag: { x: false } },
    scales: {
      y: { range: (_plot, _low, high) => [0, Math.max(1, (high ?? 0) * 1.1)] },
      x: { range: margins(told.times) },
    },
    axes: [
      { ...axis, size: 32, grid: { show: false }, values: (_plot, values) => values.map(moment) },
      { ...axis, size: 64, values: (_plot, values) => values.map((value) => words(value, unit)) },
    ],
    series: [
      {
        label: table.tHead.rows[0].cells[0].textContent.trim(),
        value: (_plot, value) => (value == null ? "–" : `${day.format(value * 1000)} ${clock.format(value * 1000)}`),
      },
      ...series,
    ],
  };
}

function margins(times) {
  const half = (times.length > 1 ? times[1] - times[0] : 60) / 2;
  return [times[0] - half, times.at(-1) + half];
}

function plot(table, place) {
  const told = read(table);
  const columns = table.dataset.chart === "stack" ? stacked(told.columns).reverse() : told.columns;
  charts.get(table)?.destroy();
  const width = Math.max(240, place.clientWidth);
  place.classList.toggle("one", told.names.length === 1);
  charts.set(table, new uPlot(options(table, told, width), [told.times, ...columns], place));
}

function prepare(table) {
  const place = document.createElement("div");
  const caption = table.closest("figure")?.querySelector("figcaption")?.textContent.trim() ?? "";
  place.className = "chart-place";
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", `${caption} (${table.dataset.figures ?? "figures below"})`);
  const folded = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = table.dataset.figures ?? "Figures";
  table.before(place, folded);
  const scrolled = document.createElement("div");
  scrolled.className = "scrolled";
  scrolled.tabIndex = 0; // Else the keyboard does not come to what is below.
  scrolled.append(table);
  folded.append(summary, scrolled);
  new ResizeObserver(() => {
    const width = Math.max(240, place.clientWidth);
    charts.get(table)?.setSize({ width, height: HEIGHT });
  }).observe(place);
  return place;
}

function draw() {
  for (const table of document.querySelectorAll("table[data-chart]")) {
    if (charts.has(table) || table.tBodies[0]?.rows.length === 0) continue;
    plot(table, prepare(table));
  }
}

function redraw() {
  for (const table of charts.keys()) {
    plot(table, table.closest("details").previousElementSibling);
  }
}

draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
