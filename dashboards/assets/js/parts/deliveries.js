// Messages sent, and what became of them.
import { html } from "../dom.js";
import { at, span } from "../format.js";
import { byWhat, incidentUrl } from "../oncall.js";
import { Moment } from "./ago.js";
import { State } from "./state.js";
import { Text } from "./text.js";

/** `bare` leaves the incidents out, where the page is about one. */
export function Deliveries({ deliveries, bare = false }) {
  if (!deliveries.length) return html`<p class="blank">No message was sent.</p>`;
  return html`<table class="table list" role="table" data-testid="deliveries"><thead role="rowgroup"><tr role="row"><th role="columnheader" class="cell-state">State</th><th role="columnheader" class="cell-to">To</th>
      <th role="columnheader">What, and why</th><th role="columnheader">Answer</th><th role="columnheader" class="cell-started">Sent</th></tr></thead>
    <tbody role="rowgroup">${deliveries.map((one) => html`<tr role="row" key=${one.delivery} data-testid="delivery-row" data-id=${one.delivery} data-state=${one.state}>
      <td role="cell"><${State} state=${one.state} /></td>
      <td role="cell" class="break"><b>${one.user ?? one.receiver}</b> <span class="faint">${byWhat(one)}</span></td>
      <td role="cell" class="break"><${What} one=${one} bare=${bare} /><div class="reason wrap">${one.occasion} · <${Text} text=${one.reason} /></div></td>
      <td role="cell" class="break small mono">${one.answer || html`<span class="faint">–</span>`}${one.attempts > 1 && html`<div class="faint">${one.attempts} attempts</div>`}</td>
      <td role="cell" data-label="sent"><${Moment} at=${at(one.at)} />${one.done && html`<div class="faint small num">${took(one)}</div>`}</td></tr>`)}</tbody></table>`;
}

function What({ one, bare }) {
  const links = bare ? [] : one.incidents;
  return html`${links.length === 1 ? html`<a data-walk href=${incidentUrl(links[0])}>${one.title}</a>` : one.title}
    ${links.length > 1 && links.map((id) => html` <a key=${id} data-walk href=${incidentUrl(id)}>#${id}</a>`)}`;
}

function took(one) {
  const ms = at(one.done) - at(one.at);
  return `after ${ms < 1000 ? `${Math.max(0, ms)} ms` : span(ms)}`;
}
