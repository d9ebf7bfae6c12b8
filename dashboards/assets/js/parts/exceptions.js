// Overrides and swaps, and taking them back.
import { html } from "../dom.js";
import { at } from "../format.js";
import { act } from "../oncall.js";
import { Planned } from "./ago.js";
import { Origin } from "./oncall.js";

export function Exceptions({ overrides, swaps }) {
  const all = [...overrides.map((one) => ({ ...one, begins: one.from })), ...swaps.map((one) => ({ ...one, begins: one.shift }))].sort((a, b) => at(a.begins) - at(b.begins));
  return html`<section class="panel" aria-labelledby="exceptions"><h2 id="exceptions">Stand-ins and trades <span class="faint num">${all.length}</span></h2>
    ${all.length === 0 ? html`<p class="blank">None.</p>` : html`<ul class="rows">${all.map((one, n) => html`<li key=${one.id ?? `f${n}`} tabindex="-1" data-walk data-testid="exception" data-id=${one.id} data-origin=${one.origin}>
      <span class="break grow">${one.user ? html`<b>${one.user}</b> stands in for ${one.rotation}${one.instead_of ? html`, where it is ${one.instead_of}'s turn` : ""}: <${Planned} at=${at(one.from)} /> – <${Planned} at=${at(one.until)} />`
        : html`Shifts of ${one.rotation} trade: <${Planned} at=${at(one.shift)} /> and <${Planned} at=${at(one.with)} />`}
        <span class="faint">${one.reason ? ` · ${one.reason}` : ""}${one.by ? ` · by ${one.by}` : ""}</span></span>
      <${Origin} origin=${one.origin} />${one.id != null && one.origin === "api" && html`<button type="button" class="button" data-testid="take-back" onClick=${() => act("DELETE", `/oncall/amendments/${one.id}`, null, "taken back")}>Take back</button>`}</li>`)}</ul>`}</section>`;
}
