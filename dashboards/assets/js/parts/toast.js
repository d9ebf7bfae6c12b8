// A short word about what was just done, or why it was not.
import { signal } from "@preact/signals";
import { html } from "../dom.js";

const said = signal(null);
let timer = null;

/** Says `text` for a while; `tone` "bad" stays longer and is read out at once. */
export function say(text, tone = "") {
  clearTimeout(timer);
  said.value = { text, tone };
  timer = setTimeout(() => { said.value = null; }, tone ? 9000 : 4000);
}

/** Its place in the document; once. */
export function Toast() {
  const one = said.value;
  return html`<div aria-live=${one?.tone ? "assertive" : "polite"}>${one && html`<div class=${`toast ${one.tone ? "toast-bad" : ""}`} data-testid="said" data-tone=${one.tone}>
    <span class="break">${one.text}</span> <button type="button" class="icon close" aria-label="Dismiss" onClick=${() => { said.value = null; }}>×</button></div>`}</div>`;
}
