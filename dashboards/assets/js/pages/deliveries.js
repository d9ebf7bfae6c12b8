// What was sent to whom, and did it arrive?
import { html } from "../dom.js";
import { query, setQuery, urlWith } from "../router.js";
import { useOlder } from "../older.js";
import { oncallNews } from "../resource.js";
import { API, entries, useConfig } from "../oncall.js";
import { Deliveries as Table } from "../parts/deliveries.js";
import { OncallHead, Waiting } from "../parts/oncall.js";

const STATES = [["", "All"], ["failed", "Failed"], ["sending", "Sending"], ["delivered", "Delivered"], ["cancelled", "Cancelled"]];

export function Deliveries() {
  const get = (name) => query.value.get(name) ?? "";
  const asked = new URLSearchParams({ limit: 100 });
  for (const name of ["state", "user", "incident"]) if (get(name)) asked.set(name, get(name));
  const { rows, error, status, more, loading } = useOlder(`${API}/oncall/deliveries?${asked}`, "deliveries", "delivery", oncallNews);
  const users = entries(useConfig().data?.users);
  return html`<${OncallHead} />
    <div class="toolbar second"><nav class="segments" aria-label="State">${STATES.map(([id, label]) => html`<a key=${id} href=${urlWith({ state: id })} aria-current=${get("state") === id ? "true" : undefined}>${label}</a>`)}</nav>
      <select class="button" aria-label="User" value=${get("user")} onChange=${(event) => setQuery({ user: event.currentTarget.value })}><option value="">Everybody</option>${users.map((one) => html`<option key=${one.key} value=${one.key}>${one.key}</option>`)}</select></div>
    ${rows ? html`<section class="panel" aria-label="Deliveries"><${Table} deliveries=${rows} />${more && html`<p class="more"><button type="button" class="button" disabled=${loading} onClick=${more}>Older</button></p>`}</section>` : html`<${Waiting} error=${error} status=${status} />`}`;
}
