// Who can be paged, in which turns, by which policy: as it is set, and where each comes from.
import { useState } from "preact/hooks";
import { html } from "../dom.js";
import { hours, written } from "../format.js";
import { API, act, entries, sent, useConfig } from "../oncall.js";
import { CalendarLink } from "../parts/calendarlink.js";
import { Add, EditButton, Editor } from "../parts/editor.js";
import { Filter, filterText } from "../parts/filter.js";
import { Matchers, OncallHead, Origin, Waiting } from "../parts/oncall.js";
import { Text } from "../parts/text.js";

const KINDS = [["users", "Users", userLine], ["teams", "Teams", teamLine], ["rotations", "Rotations", rotationLine], ["policies", "Policies", policyLine], ["receivers", "Receivers", (one) => one.type]];

const LISTS = [
  ["rules", "Rules, in order", "None. A rule changes, routes, mutes or annotates the alerts it matches.", ruleLine],
  ["grouping", "Groups", "None. Alerts that share what a group names are one incident.", (one) => `by ${one.by.join(", ")}`],
  ["dependencies", "Dependencies", "None. What depends on something that is down is a symptom of that, not an incident of its own.", (one) => `depends on ${one.on}`],
];

export function Setup() {
  const { data, error, status } = useConfig();
  const [edited, edit] = useState(null);
  const head = html`<${OncallHead}><${Filter} placeholder="Filter by name" /><//>`;
  if (!data) return html`${head}<${Waiting} error=${error} status=${status} />`;
  return html`${head}
    <p class="about faint">What comes from a file is changed there: wharf reads it again by itself. The rest can be changed here.</p>
    <${LeftOut} things=${data.left_out ?? []} />
    ${KINDS.map(([kind, label, line]) => html`<${Things} key=${kind} kind=${kind} label=${label} line=${line} things=${entries(data[kind])} edit=${edit} />`)}
    <${Routing} routing=${data.routing} edit=${edit} />
    ${LISTS.map(([kind, label, about, line]) => html`<${Listed} key=${kind} kind=${kind} label=${label} about=${about} line=${line} things=${data[kind] ?? []} edit=${edit} />`)}
    <${Check} />
    ${edited && html`<${Editor} ...${edited} done=${() => edit(null)} />`}`;
}

// What was made here and is not in force, because the file no longer has what it needs.
function LeftOut({ things }) {
  if (!things.length) return null;
  return html`<section class="panel" aria-labelledby="left-out" data-testid="left-out"><h2 id="left-out">Not in force <span class="faint num">${things.length}</span></h2>
    <ul class="rows">${things.map((one) => html`<li key=${`${one.kind}/${one.name}`}>
      <span class="break grow"><b class="tone-bad">${one.kind} ${one.name}</b> <${Text} text=${one.problems.map(told).join(" · ")} />${one.instead && ` · meanwhile ${one.instead}`}</span>
      <button type="button" class="button" onClick=${() => act("DELETE", `/oncall/${one.kind}/${encodeURIComponent(one.name)}`, null, `${one.name} is removed`)}>Remove</button></li>`)}</ul></section>`;
}

const told = (one) => [one.problem, one.remedy].filter(Boolean).join("; ");

function Things({ kind, label, line, things, edit }) {
  const text = filterText().toLowerCase();
  const shown = things.filter((one) => one.key.toLowerCase().includes(text) || (one.name ?? "").toLowerCase().includes(text));
  if (text && !shown.length) return null;
  return html`<section class="panel" aria-labelledby=${kind} data-testid=${kind}><h2 id=${kind}>${label} <span class="faint num">${things.length}</span><${Add} kind=${kind} edit=${edit} /></h2>
    ${shown.length ? html`<ul class="rows">${shown.map((one) => html`<li key=${one.key} tabindex="-1" data-walk data-testid="thing" data-key=${one.key} data-origin=${one.origin}>
      <span class="break grow"><b>${one.key}</b>${one.name && one.name !== one.key && ` ${one.name}`} <span class="faint">${line(one)}</span></span>
      ${kind === "users" && html`<${CalendarLink} path=${one.calendar} /><button type="button" class="button" data-testid="send-test" onClick=${() => act("POST", `/oncall/test/${encodeURIComponent(one.key)}`, {}, `a test goes to ${one.key} by every contact method: see Deliveries`)}>Send a test</button>`}
      ${kind === "rotations" && html`<a class="small" href=${`/ui/oncall/calendar?rotation=${encodeURIComponent(one.key)}`}>Calendar</a>`}
      <${EditButton} kind=${kind} thing=${one} edit=${edit} /><${Origin} origin=${one.origin} /></li>`)}</ul>` : html`<p class="blank">None.</p>`}</section>`;
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
  const parts = (one.hours ?? []).map((part) => `${(part.days ?? []).join(" ")} ${hours(part.from)}–${hours(part.until)}`.trim()).join(", ");
  return [(one.members ?? []).join(" → "), every, parts, `from ${written(one.start)}`, one.time_zone].filter(Boolean).join(" · ");
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

function Routing({ routing, edit }) {
  const keys = Object.entries(routing?.keys ?? {});
  const rest = routing?.default;
  const thing = (key, policy) => ({ key, policy, origin: routing?.origins?.[key] ?? "file" });
  const line = (one, name, whither) => html`<li key=${one.key} tabindex="-1" data-walk data-testid="thing" data-key=${one.key} data-origin=${one.origin}><span class="break grow">${name} <span class="faint">${whither}</span></span><${EditButton} kind="routing" thing=${one} edit=${edit} /><${Origin} origin=${one.origin} /></li>`;
  return html`<section class="panel" aria-labelledby="routing" data-testid="routing"><h2 id="routing">Routing keys <span class="faint num">${keys.length}</span><${Add} kind="routing" edit=${edit} /></h2><ul class="rows">
    ${keys.map(([key, policy]) => line(thing(key, policy), html`<b>${key}</b>`, `to policy ${policy}`))}
    ${rest ? line(thing("default", rest), "Everything else", `to policy ${rest}`) : html`<li key="default"><span class="faint">Everything else to nobody: a routing named <code>default</code> says where to.</span></li>`}</ul></section>`;
}

/** Entries with an order: those of files first, then those made here, by name. */
function Listed({ kind, label, about, line, things, edit }) {
  return html`<section class="panel" aria-labelledby=${kind} data-testid=${kind}><h2 id=${kind}>${label} <span class="faint num">${things.length}</span><${Add} kind=${kind} edit=${edit} /></h2>
    ${things.length ? html`<ol class="rows">${things.map((one, n) => html`<li key=${one.name ?? n} tabindex="-1" data-walk data-testid="thing" data-key=${one.name} data-origin=${one.origin}>
      <span class="break grow">${one.name && html`<b>${one.name}</b> `}<${Matchers} match=${one.match} /><span class="faint">${line(one)}</span></span>
      <${EditButton} kind=${kind} thing=${{ key: one.name, ...one }} edit=${edit} /><${Origin} origin=${one.origin} /></li>`)}</ol>` : html`<p class="blank">${about}</p>`}</section>`;
}

// Is a file right before it is put in place?
function Check() {
  const [text, setText] = useState("");
  const [found, setFound] = useState(null);
  const look = async (event) => {
    event.preventDefault();
    const { data, error } = await sent("POST", `${API}/oncall/check`, text);
    const others = (data?.left_out ?? []).map((one) => ({ place: `${one.kind} ${one.name}`, problem: `made here, would not be in force: ${one.problems.map(told).join(" · ")}` }));
    setFound(error ? [{ problem: error }] : [...data.problems, ...others]);
  };
  return html`<details class="panel fold"><summary>Check a file</summary><form class="form padded" onSubmit=${look}>
    <label class="field wide"><span>The text of an <code>oncall.toml</code>; nothing is changed</span><textarea class="mono" rows="8" spellcheck="false" value=${text} onInput=${(event) => { setText(event.currentTarget.value); setFound(null); }} data-testid="check-text" /></label>
    ${found && html`<div class="wide" role="status" data-testid="check-result">${found.length ? html`<ul class="rows">${found.map((one, n) => html`<li key=${n}><span class="break">${one.line && html`<b>line ${one.line}</b> `}${one.place && html`<code>${one.place}</code> `}${one.problem}${one.remedy && html` <span class="faint">${one.remedy}</span>`}</span></li>`)}</ul>` : html`<p class="tone-good">It holds together.</p>`}</div>`}
    <div class="actions wide"><button class="button primary" disabled=${!text.trim()} data-testid="check">Check</button></div></form></details>`;
}

function ruleLine(rule) {
  const sets = Object.entries(rule.set ?? {}).map(([field, value]) => `${field} = ${value}`);
  const notes = Object.keys(rule.annotate ?? {}).map((name) => `notes ${name}`);
  return [...sets, ...notes, rule.route && `to ${rule.route}`, rule.mute && "nobody is told", rule.stop && "no rule below"].filter(Boolean).join(" · ");
}
