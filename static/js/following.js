// Follows a purchase over a WebSocket: what happens is marked, and whoever asked is told of its end.
// A connection that breaks is made again; the server knows everything that was missed.
const ENDS = new Set(["granted", "expired", "rejected", "failed"]);
const AGAIN_MS = 1500;

export function follow({ socket, state }, ended) {
  const address = new URL(socket, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const opened = new WebSocket(address);
  let known = state;
  opened.addEventListener("message", ({ data }) => {
    const told = JSON.parse(data);
    if (ENDS.has(told.status)) return ended();
    known = told.status;
    mark(told);
  });
  opened.addEventListener("close", () => {
    setTimeout(() => follow({ socket, state: known }, ended), AGAIN_MS);
  });
}

function mark({ status, words }) {
  const steps = [...document.querySelectorAll("#steps li")];
  const reached = steps.findIndex((step) => step.dataset.state === status);
  steps.forEach((step, at) => step.classList.toggle("done", at <= reached));
  if (words && reached >= 0) steps[reached].textContent = words;
  document.getElementById("unknown").hidden = status !== "submitted";
  if (status === "instructed") return;
  const title = document.querySelector("h1");
  title.textContent = title.dataset.underWay;
  document.getElementById("countdown")?.remove();
  document.getElementById("said").hidden = true;
  document.getElementById("ways")?.closest("section").remove();
}
