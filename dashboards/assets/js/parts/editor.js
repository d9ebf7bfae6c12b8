// One piece of the configuration as JSON, to make or to change.
import { useState } from "preact/hooks";
import { html } from "../dom.js";
import { API, sent, whoActs } from "../oncall.js";
import { nudge } from "../live.js";
import { Dialog } from "./dialog.js";
import { say } from "./toast.js";

const SINGULAR = { users: "user", teams: "team", rotations: "rotation", policies: "policy", receivers: "receiver", routing: "routing key", rules: "rule", grouping: "group", dependencies: "dependency", maintenance: "maintenance window", windows: "maintenance window" };
/** Where those live that are not on-call configuration. */
const PATHS = { windows: "maintenance" };
const EMPTY = {
  users: { name: "", contacts: { phone: { type: "ntfy", url: "https://ntfy.example.org/topic" } }, paging: [{ contact: "phone" }] },
  teams: { name: "", members: [] },
  rotations: { start: "2026-01-05T09:00:00", every: "week", members: [] },
  policies: { steps: [{ targets: [{ rotation: "" }] }] },
  receivers: { type: "slack", url: "" },
  routing: { policy: "" },
  rules: { match: ['service=~"batch-.*"'], set: {}, annotate: {}, route: null, mute: false, stop: false },
  grouping: { match: ['rack=*"?*"'], by: ["rack"] },
  dependencies: { match: ['host=*"?*"'], on: "node:{{host}}" },
  windows: { services: ["web"], every: ["sun"], at: "02:00", length: "45m", zone: "UTC" },
  maintenance: { match: ['service="web"'], at: "02:00", lasts: "45m", days: ["sun"], comment: "" },
};

/** Opens the editor on something new. */
export const Add = ({ kind, edit }) => html`<button type="button" class="spread plain" data-testid=${`add-${kind}`} onClick=${() => edit({ kind })}>Add</button>`;
/** Opens the editor on what was made here; what a file says is changed there. */
export const EditButton = ({ kind, thing, edit }) => thing.origin === "api" && html`<button type="button" class="button" onClick=${() => edit({ kind, thing })}>Edit</button>`;

export function Editor({ kind, thing, done }) {
  const [name, setName] = useState(thing?.key ?? "");
  const [text, setText] = useState(JSON.stringify(thing ? plainThing(thing) : EMPTY[kind], null, 2));
  const [problem, setProblem] = useState("");
  const url = `${API}/${PATHS[kind] ?? `oncall/${kind}`}/${encodeURIComponent(name.trim())}`;
  const send = async (method, body, told) => {
    const by = await whoActs();
    if (!by) return;
    const { error } = await sent(method, `${url}?by=${encodeURIComponent(by)}`, body);
    if (error) return setProblem(error);
    say(told);
    nudge();
    done();
  };
  const save = (event) => {
    event.preventDefault();
    try { JSON.parse(text); } catch (error) { return setProblem(`no JSON: ${error.message}`); }
    send("PUT", text, `${SINGULAR[kind]} ${name} is kept`);
  };
  return html`<${Dialog} label=${`Edit ${SINGULAR[kind]}`} onClose=${done} kind="editor"><form onSubmit=${save} data-testid="editor"><h2>${thing ? `Edit ${SINGULAR[kind]} ${thing.key}` : `New ${SINGULAR[kind]}`}</h2>
    ${!thing && html`<label class="field"><span>Name, by which others refer to it</span><input value=${name} onInput=${(event) => setName(event.currentTarget.value)} pattern="[A-Za-z0-9._\\-]+" maxlength="64" required data-testid="editor-name" /></label>`}
    <label class="field"><span>As JSON; the keys are those of the ${PATHS[kind] ? "settings" : html`file <code>oncall.toml</code>`}</span><textarea class="mono" rows="14" spellcheck="false" value=${text} onInput=${(event) => setText(event.currentTarget.value)} data-testid="editor-text" /></label>
    ${problem && html`<p class="tone-bad break" role="alert" data-testid="editor-problem">${problem}</p>`}
    <div class="actions">${thing && html`<button type="button" class="button danger" onClick=${() => send("DELETE", undefined, `${thing.key} is gone`)}>Remove</button>`}<span class="grow" />
      <button type="button" class="button" onClick=${done}>Cancel</button><button class="button primary" disabled=${!name.trim()} data-testid="editor-save">Save</button></div></form><//>`;
}

// Without what wharf adds when it shows it.
function plainThing({ key, origin, calendar, teams, id, by, active, next_change, covers, ...thing }) {
  if (thing.name === key) delete thing.name;
  return Object.fromEntries(Object.entries(thing).filter(([, value]) => value !== null));
}
