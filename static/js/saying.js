// What went wrong, said in the page's own words: it holds a template for everything.
import { NotAgreed } from "./checking.js";
import { Refusal } from "./freighter.js";
import { NoEd25519 } from "./keys.js";

export function say(name, detail = "") {
  const said = document.getElementById("said");
  const words = document.getElementById(`say-${name}`) ?? document.getElementById("say-no-answer");
  said.replaceChildren(words.content.cloneNode(true));
  if (detail) {
    const more = document.createElement("p");
    more.className = "quiet small";
    more.textContent = detail;
    said.append(more);
  }
  said.dataset.said = name;
  said.hidden = false;
  said.scrollIntoView({ block: "nearest" });
}

// One act at a time; its button is busy meanwhile, and what fails is said.
export async function acting(button, act) {
  document.getElementById("said").hidden = true;
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    await act();
  } catch (error) {
    if (error instanceof NotAgreed) say("not-agreed", error.message);
    else if (error instanceof NoEd25519) say("no-ed25519");
    else if (error instanceof Refusal) say(error.message);
    else if (error.message === "no-funds") say("no-funds");
    else if (error.message === "refused") say("refused", error.detail);
    else say("no-answer");
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
}
