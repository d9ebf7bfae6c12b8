// Large figures in a row, with what they mean in small.
import { html } from "../dom.js";

/** `items`: [{ label, value, note, tone, id }]. */
export function Figures({ items }) {
  return html`<dl class="figures">${items.map((item) => html`<div class="figure" key=${item.label} data-testid=${item.id && `figure-${item.id}`}>
    <dt>${item.label}</dt><dd class=${`num ${item.tone ?? ""}`}>${item.value}</dd>${item.note && html`<dd class="note">${item.note}</dd>`}</div>`)}</dl>`;
}
