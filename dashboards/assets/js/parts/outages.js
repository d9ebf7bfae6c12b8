// Outages of services as a table, newest first.
import { html } from "../dom.js";
import { serviceUrl } from "../router.js";
import { Lasted, Moment } from "./ago.js";
import { State } from "./state.js";
import { Text } from "./text.js";

/** `bare` leaves the service's name out, where the page is about one service. */
export function OutageTable({ outages, bare = false }) {
  return html`<table class="table list by-day" role="table" data-testid="outages"><thead role="rowgroup"><tr role="row"><th role="columnheader">State</th>
      ${!bare && html`<th role="columnheader" class="cell-service">Service</th>`}<th role="columnheader">Reason</th><th role="columnheader" class="cell-started">Started</th><th role="columnheader" class="cell-lasted number">Lasted</th></tr></thead>
    <tbody role="rowgroup">${outages.map((one) => html`<tr role="row" key=${one.id} data-testid="outage-row" data-service=${one.service} data-state=${one.state}>
      <td role="cell"><${State} state=${one.state === "resolved" ? "resolved" : "open"} /></td>
      ${!bare && html`<td role="cell"><a class="name" data-walk href=${serviceUrl(one.service)}>${one.service}</a></td>`}
      <td role="cell"><${Text} text=${one.reason} /></td>
      <td role="cell" data-label="started"><${Moment} at=${one.started} /></td>
      <td role="cell" class="number" data-label="lasted"><${Lasted} from=${one.started} to=${one.resolved} /></td></tr>`)}</tbody></table>`;
}
