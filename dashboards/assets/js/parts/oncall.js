// What the on-call pages share: where one is among them, and what to do when nobody is on call yet.
import { html } from "../dom.js";
import { oncall } from "../live.js";
import { incidentUrl } from "../oncall.js";
import { route } from "../router.js";
import { Me } from "./me.js";

const PAGES = [["oncall", "/ui/oncall", "Now"], ["calendar", "/ui/oncall/calendar", "Calendar"], ["who", "/ui/oncall/who", "Who is paged"], ["silences", "/ui/oncall/silences", "Silences"], ["deliveries", "/ui/oncall/deliveries", "Deliveries"], ["setup", "/ui/oncall/setup", "Setup"]];

/** The heading of an on-call page; `children` are its own controls. */
export function OncallHead({ children }) {
  const at = route.value.page;
  return html`<div class="toolbar"><h1>On call</h1><nav class="segments" aria-label="On call">${PAGES.map(([id, url, label]) => html`<a key=${id} href=${url} aria-current=${at === id ? "page" : undefined}>${label}</a>`)}</nav>
    <${Me} />${children}</div>`;
}

export function NoOncall() {
  return html`<section class="panel nothing" data-testid="no-oncall"><h2>Nobody is on call yet</h2>
    <p class="faint">Write users, rotations and policies into <code>oncall.toml</code>, try it with <code>wharf oncall check</code>, and what fails finds somebody.</p></section>`;
}

/** What stands where an answer is not there: why, or that it is on its way. */
export function Waiting({ error, status }) {
  if (status === 404 && !oncall.value) return html`<${NoOncall} />`;
  if (error) return html`<section class="panel nothing" data-testid="problem"><p class="break">${error}</p></section>`;
  return html`<div class="panel skeleton tall" aria-busy="true" />`;
}

/** Where something comes from: `file` cannot be changed here. */
export function Origin({ origin }) {
  if (origin === "api") return html`<span class="origin" title="Made by API or on these pages: it can be changed here">api</span>`;
  return html`<span class="origin origin-file" title="Written in a file: it is changed there"><svg viewBox="0 0 12 12" width="10" height="10" aria-hidden="true"><path d="M2.5 5.5h7v5h-7zM4 5.5V4a2 2 0 0 1 4 0v1.5" /></svg>file</span>`;
}

/** What something applies to: all of these have to match. */
export const Matchers = ({ match }) => (match ?? []).map((one) => html`<code key=${one} class="matcher">${one}</code> `);

/** The incidents that page nobody because of something. */
export const Holds = ({ incidents }) => incidents?.length > 0 && html`<span> · holds ${incidents.map((id) => html`<a key=${id} href=${incidentUrl(id)}>#${id}</a> `)}</span>`;
