// Incidents as a table, newest first.
import { html } from "../dom.js";
import { at, clock } from "../format.js";
import { incidentUrl } from "../oncall.js";
import { For, Lasted, Moment } from "./ago.js";
import { State } from "./state.js";
import { Text } from "./text.js";

/** `chosen` (a Set of ids) with `choose(id)` makes rows selectable. */
export function IncidentTable({ incidents, chosen, choose }) {
  return html`<table class="table list incidents" role="table" data-testid="incidents"><thead role="rowgroup"><tr role="row">
      ${choose && html`<th role="columnheader" class="cell-pick"><span class="sr">Selected</span></th>`}
      <th role="columnheader" class="cell-state">State</th><th role="columnheader">Incident</th><th role="columnheader" class="cell-severity">Severity</th><th role="columnheader" class="cell-started">Opened</th><th role="columnheader" class="cell-lasted number">Lasted</th></tr></thead>
    <tbody role="rowgroup">${incidents.map((one) => html`<${Row} key=${one.id} one=${one} picked=${chosen?.has(one.id)} choose=${choose} />`)}</tbody></table>`;
}

function Row({ one, picked, choose }) {
  const ended = at(one.resolved?.at);
  return html`<tr role="row" class=${`incident-${one.state}`} data-testid="incident-row" data-id=${one.id} data-state=${one.state} aria-selected=${choose ? String(Boolean(picked)) : undefined}>
    ${choose && html`<td role="cell" class="cell-pick"><input type="checkbox" checked=${picked} aria-label=${`Select #${one.id}`} onChange=${() => choose(one.id)} /></td>`}
    <td role="cell" class="cell-state"><${State} state=${one.state} /></td>
    <td role="cell" class="cell-what"><a class="name" data-walk href=${incidentUrl(one.id)}><span class="faint num">#${one.id}</span> ${one.title}</a>
      <div class="reason" title=${one.message}><${Aside} one=${one} /><${Text} text=${one.message} /></div></td>
    <td role="cell" class="cell-severity"><${State} state=${one.severity} /></td>
    <td role="cell" class="cell-started" data-label="opened"><${Moment} at=${at(one.opened)} /></td>
    <td role="cell" class="cell-lasted number" data-label="lasted"><${Lasted} from=${at(one.opened)} to=${ended} /></td></tr>`;
}

// The one thing to know beside the state.
function Aside({ one }) {
  const words = [];
  if (one.symptoms_ever > 1) words.push(one.state === "resolved" ? `${one.symptoms_ever} symptoms` : `${one.symptoms} of ${one.symptoms_ever} symptoms`);
  if (one.state === "acknowledged") words.push(`${one.acknowledged.by} is at it${one.acknowledged.until ? ` until ${clock(at(one.acknowledged.until))}` : ""}`);
  if (one.state === "resolved" && one.resolved.by) words.push(`by ${one.resolved.by}`);
  if (one.held) words.push("held");
  return words.length ? html`<b class="aside" title=${one.held ?? ""}>${words.join(" · ")}</b>` : null;
}
