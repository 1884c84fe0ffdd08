// Shows what buyers will read of the price that is being written. Without scripts the button at its
// head opens the same in a page of its own.
const WAIT_MS = 400;
const aside = document.querySelector("[data-preview]");
const form = document.getElementById(aside?.dataset.form ?? "");
const shown = aside?.querySelector("[data-shown]");
let waiting = 0;
let asked = 0;

async function show() {
  const number = (asked += 1);
  const answer = await fetch(aside.dataset.preview, { method: "POST", body: new FormData(form) });
  if (!answer.ok || number !== asked) return; // A later one is under way.
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  shown.replaceChildren(...page.body.childNodes);
}

if (form) {
  for (const event of ["input", "change"])
    form.addEventListener(event, () => {
      clearTimeout(waiting);
      waiting = setTimeout(show, WAIT_MS);
    });
  aside.querySelector("[data-without-script]").hidden = true;
  show();
}
