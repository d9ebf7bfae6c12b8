// What can be done about an open incident.
import { useState } from "preact/hooks";
import { html } from "../dom.js";
import { act, entries, useConfig } from "../oncall.js";

const SNOOZES = [["30m", "30 minutes"], ["1h", "1 hour"], ["4h", "4 hours"], ["12h", "12 hours"]];

export function IncidentActions({ incident }) {
  const [busy, setBusy] = useState(false);
  const go = async (what, body, told) => {
    setBusy(true);
    await act("POST", `/incidents/${incident.id}/${what}`, body, told);
    setBusy(false);
  };
  return html`<div class="doing" role="group" aria-label="Actions">
    ${incident.state === "triggered" && html`<button type="button" class="button primary" disabled=${busy} data-testid="acknowledge" onClick=${() => go("acknowledge", {}, `#${incident.id} is yours: paging has stopped`)}>Acknowledge</button>`}
    <button type="button" class="button" disabled=${busy} data-testid="resolve" onClick=${() => go("resolve", {}, `#${incident.id} is resolved`)}>Resolve</button>
    <${Choice} label="Snooze" options=${SNOOZES} disabled=${busy} testid="snooze" choose=${(time) => go("snooze", { for: time }, `#${incident.id} is quiet for ${time}`)} />
    <${Reassign} go=${go} busy=${busy} /></div>`;
}

function Reassign({ go, busy }) {
  const config = useConfig().data;
  const users = entries(config?.users).map((one) => [`user:${one.key}`, one.key]);
  const policies = entries(config?.policies).map((one) => [`policy:${one.key}`, `policy ${one.key}`]);
  const choose = (value) => {
    const at = value.indexOf(":");
    go("reassign", { [value.slice(0, at)]: value.slice(at + 1) }, `given to ${value.slice(at + 1)}`);
  };
  return html`<${Choice} label="Give to" options=${[...users, ...policies]} disabled=${busy || !config} testid="reassign" choose=${choose} />`;
}

// A button that is a native list of choices: every keyboard and phone knows how.
function Choice({ label, options, choose, disabled, testid }) {
  const change = (event) => {
    const { value } = event.currentTarget;
    event.currentTarget.value = "";
    if (value) choose(value);
  };
  return html`<select class="button choice" aria-label=${label} disabled=${disabled} data-testid=${testid} onChange=${change} value=""><option value="">${label} …</option>${options.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}</select>`;
}
