// Who can be paged, in which turns, by which policy: as it is set, and where each comes from.
import { useState } from "preact/hooks";
import { html } from "../dom.js";
import { hours } from "../format.js";
import { act, entries, useConfig } from "../oncall.js";
import { CalendarLink } from "../parts/calendarlink.js";
import { Editor } from "../parts/editor.js";
import { Filter, filterText } from "../parts/filter.js";
import { OncallHead, Origin, Waiting } from "../parts/oncall.js";

const KINDS = [["users", "Users", userLine], ["teams", "Teams", teamLine], ["rotations", "Rotations", rotationLine], ["policies", "Policies", policyLine], ["receivers", "Receivers", (one) => one.type]];

export function Setup() {
  const { data, error, status } = useConfig();
  const [edited, edit] = useState(null);
  const head = html`<${OncallHead}><${Filter} placeholder="Filter by name" /><//>`;
  if (!data) return html`${head}<${Waiting} error=${error} status=${status} />`;
  return html`${head}
    <p class="about faint">What comes from a file is changed there: wharf reads it again by itself. The rest can be changed here.</p>
    ${KINDS.map(([kind, label, line]) => html`<${Things} key=${kind} kind=${kind} label=${label} line=${line} things=${entries(data[kind])} edit=${edit} />`)}
    <${Routing} routing=${data.routing} /><${Rules} rules=${data.rules} />
    ${edited && html`<${Editor} ...${edited} done=${() => edit(null)} />`}`;
}

function Things({ kind, label, line, things, edit }) {
  const text = filterText().toLowerCase();
  const shown = things.filter((one) => one.key.toLowerCase().includes(text) || (one.name ?? "").toLowerCase().includes(text));
  if (text && !shown.length) return null;
  return html`<section class="panel" aria-labelledby=${kind} data-testid=${kind}><h2 id=${kind}>${label} <span class="faint num">${things.length}</span><button type="button" class="spread plain" data-testid=${`add-${kind}`} onClick=${() => edit({ kind })}>Add</button></h2>
    ${shown.length ? html`<ul class="rows">${shown.map((one) => html`<li key=${one.key} tabindex="-1" data-walk data-testid="thing" data-key=${one.key} data-origin=${one.origin}>
      <span class="break grow"><b>${one.key}</b>${one.name && one.name !== one.key && ` ${one.name}`} <span class="faint">${line(one)}</span></span>
      ${kind === "users" && html`<${CalendarLink} path=${one.calendar} /><button type="button" class="button" data-testid="send-test" onClick=${() => act("POST", `/oncall/test/${encodeURIComponent(one.key)}`, {}, `a test goes to ${one.key} by every contact method: see Deliveries`)}>Send a test</button>`}
      ${kind === "rotations" && html`<a class="small" href=${`/ui/oncall/calendar?rotation=${encodeURIComponent(one.key)}`}>Calendar</a>`}
      ${one.origin === "api" && html`<button type="button" class="button" onClick=${() => edit({ kind, thing: one })}>Edit</button>`}<${Origin} origin=${one.origin} /></li>`)}</ul>` : html`<p class="blank">None.</p>`}</section>`;
}

const after = (time) => (time && !/^0/.test(time) ? ` after ${time}` : "");

function userLine(user) {
  const steps = (user.paging ?? []).map((step) => `${step.contact}${after(step.after)}`).join(", then ");
  const ways = Object.entries(user.contacts ?? {}).map(([name, one]) => `${name} (${[one.type ?? one.kind, one.to ?? one.address].filter(Boolean).join(" ")})`).join(", ");
  return [ways, steps && `paged by ${steps}`, user.page_again && `again every ${user.page_again}`, user.time_zone].filter(Boolean).join(" · ");
}

function teamLine(team) {
  return (team.members ?? []).join(", ");
}

const UNITS = { hour: "hours", day: "days", week: "weeks", month: "months" };

function rotationLine(one) {
  const every = one.shift_length > 1 ? `every ${one.shift_length} ${UNITS[one.every]}` : `every ${one.every}`;
  const hours = (one.hours ?? []).map((part) => `${(part.days ?? []).join(" ")} ${hours(part.from)}–${hours(part.until)}`).join(", ");
  return [(one.members ?? []).join(" → "), every, hours, `from ${one.start.replace("T", " ").replace(/:00$/, "")}`, one.time_zone].filter(Boolean).join(" · ");
}

const TARGETS = { rotation: "on duty in", next_in_rotation: "next in", previous_in_rotation: "previous in", user: "", policy: "policy", receiver: "" };

function policyLine(policy) {
  const steps = (policy.steps ?? []).map((step) => {
    const whom = (step.targets ?? []).map((target) => Object.entries(target).map(([kind, name]) => `${TARGETS[kind] ?? kind} ${name}`.trim()).join()).join(" and ");
    return `${whom || "wait"}${after(step.after)}`;
  });
  const again = policy.repeat === "until-acknowledged" ? "again until acknowledged" : policy.repeat ? `${policy.repeat} times more` : "";
  return [steps.map((step, n) => `${n + 1}. ${step}`).join(", "), again, policy.announce?.length && `tells ${policy.announce.join(", ")}`].filter(Boolean).join(" · ");
}

function Routing({ routing }) {
  const keys = Object.entries(routing?.keys ?? {});
  return html`<section class="panel" aria-labelledby="routing"><h2 id="routing">Routing keys <span class="faint num">${keys.length}</span></h2><ul class="rows">
    ${keys.map(([key, policy]) => html`<li key=${key}><b>${key}</b><span class="faint grow">to policy ${policy}</span></li>`)}<li><span class="faint">Everything else to policy ${routing?.default ?? "none: nobody is paged"}</span></li></ul></section>`;
}

function Rules({ rules }) {
  if (!rules?.length) return null;
  return html`<section class="panel" aria-labelledby="rules"><h2 id="rules">Rules, in order <span class="faint num">${rules.length}</span></h2><ol class="rows">${rules.map((one) => html`<li key=${one.name}>
    <span class="break grow"><b>${one.name}</b> ${(one.match ?? []).map((text) => html`<code key=${text} class="matcher">${text}</code> `)}<span class="faint">${ruleLine(one)}</span></span><${Origin} origin=${one.origin ?? "file"} /></li>`)}</ol></section>`;
}

function ruleLine(rule) {
  const sets = Object.entries(rule.set ?? {}).map(([field, value]) => `${field} = ${value}`);
  const notes = Object.keys(rule.annotate ?? {}).map((name) => `notes ${name}`);
  return [...sets, ...notes, rule.route && `to ${rule.route}`, rule.mute && "nobody is told", rule.stop && "no rule below"].filter(Boolean).join(" · ");
}
