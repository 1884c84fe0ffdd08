// Makes the call of the form from this page, and shows the answer as it comes. The same form works
// without this script: then the server makes the call.

const SHOWN_MAX = 1024 * 1024;
const form = document.querySelector(".try-form");
let running = null;

// What a fragment of the address says stays in the browser: a page that sold a token leads here so.
const handed = new URLSearchParams(location.hash.slice(1)).get("token");
if (form && handed) {
  form.elements.token.value = handed;
  history.replaceState(null, "", location.pathname + location.search);
}

function target() {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const headers = new Headers();
  for (const field of form.elements) {
    const [place, ...rest] = field.name.split(":");
    const name = rest.join(":");
    const value = field.value.trim();
    if (!name) continue;
    if (place === "path") path = filled(path, `{${name}}`, value, field.dataset.required);
    else if (!value) continue;
    else if (place === "header") headers.set(name, value);
    else if (field.dataset.array) value.split(",").forEach((part) => query.append(name, part.trim()));
    else query.append(name, value);
  }
  const asked = query.toString();
  return [form.dataset.gate + path + (asked ? `?${asked}` : ""), headers];
}

function filled(path, hole, value, required) {
  if (required) return path.replaceAll(hole, encodeURIComponent(value));
  const rest = value.replace(/^\/+/, "").split("/").map(encodeURIComponent).join("/");
  return rest ? path.replaceAll(hole, rest) : path.replaceAll(`/${hole}`, "") || "/";
}

function request() {
  const [address, headers] = target();
  const options = { method: form.dataset.method, headers, credentials: "omit", cache: "no-store", redirect: "manual" };
  if (form.elements.token.value) headers.set("apicharge", form.elements.token.value.trim());
  headers.set("accept", "*/*");
  const body = form.elements.body?.value ?? "";
  if (form.dataset.bodyType && body.trim()) {
    headers.set("content-type", form.dataset.bodyType);
    options.body = body;
  }
  return [address, options];
}

const answer = document.querySelector("[data-answer]");

function figures(answered, startedAt, beganAt, size, note) {
  const status = document.createElement("b");
  status.className = answered.status < 400 ? "good" : "bad";
  status.textContent = `${answered.status} ${answered.statusText}`;
  const now = performance.now();
  const lines = [`${Math.round(beganAt - startedAt)} ms until it began`, `${Math.round(now - startedAt)} ms in all`, `${size.toLocaleString()} bytes`];
  if (note) lines.push(note);
  answer.querySelector("[data-figures]").replaceChildren(
    status,
    ...lines.flatMap((line) => {
      const span = document.createElement("span");
      span.textContent = line;
      return [" ", span];
    }),
  );
}

function begin() {
  answer.hidden = false;
  answer.querySelector("[data-figures]").textContent = "…";
  answer.querySelector("[data-text] code").textContent = "";
  answer.querySelector("[data-headers] code").textContent = "";
}

async function send() {
  begin();
  running = new AbortController();
  form.querySelector("[data-stop]").hidden = false;
  const [address, options] = request();
  const startedAt = performance.now();
  try {
    const answered = await fetch(address, { ...options, signal: running.signal });
    await show(answered, startedAt);
  } catch (error) {
    const figure = answer.querySelector("[data-figures]");
    figure.append(" ", error.name === "AbortError" ? "Stopped." : `No answer: ${error.message}`);
  } finally {
    form.querySelector("[data-stop]").hidden = true;
    running = null;
  }
}

async function show(answered, startedAt) {
  const beganAt = performance.now();
  const headers = [...answered.headers].map(([name, value]) => `${name}: ${value}`);
  answer.querySelector("[data-headers] code").textContent = headers.join("\n");
  const place = answer.querySelector("[data-text] code");
  const decoder = new TextDecoder();
  let size = 0;
  figures(answered, startedAt, beganAt, size);
  for await (const chunk of chunks(answered)) {
    size += chunk.byteLength;
    if (size > SHOWN_MAX) {
      running.abort();
      figures(answered, startedAt, beganAt, size, "cut here: this page shows the first megabyte");
      return;
    }
    place.append(decoder.decode(chunk, { stream: true }));
    figures(answered, startedAt, beganAt, size);
  }
  const type = answered.headers.get("content-type") ?? "";
  if (place.textContent.includes("\0")) place.textContent = `${size.toLocaleString()} bytes of ${type}`;
  else if (type.includes("json")) place.textContent = indented(place.textContent);
}

async function* chunks(answered) {
  if (!answered.body) return;
  const reader = answered.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function post(address, accept, act) {
  const body = new FormData(form);
  if (act) body.set("act", act);
  return fetch(address, { method: "POST", body, headers: { accept } });
}

async function startTrial(button) {
  button.disabled = true;
  const problem = form.querySelector("[data-problem]");
  try {
    const answered = await post(button.formAction, "application/json");
    const told = await answered.json();
    problem.hidden = answered.ok;
    problem.textContent = told.problem ?? "";
    if (answered.ok) {
      form.elements.token.value = told.token;
      form.querySelector("[data-trial-words]").textContent = `A trial: ${told.words}.`;
      await refreshSnippets();
    }
  } finally {
    button.disabled = false;
  }
}

async function refreshSnippets() {
  const place = document.querySelector("[data-snippets]");
  const chosen = place.querySelector("input:checked")?.id;
  const answered = await post(form.action, "text/html", "fragment");
  if (!answered.ok) return;
  place.innerHTML = await answered.text();
  const again = chosen && document.getElementById(chosen);
  if (again) again.checked = true;
  place.dispatchEvent(new Event("drawn", { bubbles: true }));
}

if (form) {
  form.querySelector("[data-only-without-script]").hidden = true;
  form.querySelector("[data-stop]").addEventListener("click", () => running?.abort());
  form.addEventListener("change", refreshSnippets);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter?.hasAttribute("data-trial")) startTrial(event.submitter);
    else if (!running) send();
  });
  if (handed) refreshSnippets();
}
