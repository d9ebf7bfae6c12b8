// One incident: what is wrong, who knows, what comes next, and how it came to this?
import { useState } from "preact/hooks";
import { html } from "../dom.js";
import { at, moment } from "../format.js";
import { useResource, oncallNews } from "../resource.js";
import { API, act, entityUrl } from "../oncall.js";
import { For, Moment, Until } from "../parts/ago.js";
import { IncidentActions } from "../parts/actions.js";
import { Deliveries } from "../parts/deliveries.js";
import { Me } from "../parts/me.js";
import { Waiting } from "../parts/oncall.js";
import { Mark, State, Word } from "../parts/state.js";
import { Text } from "../parts/text.js";

export function Incident({ id }) {
  const { data, error, status } = useResource(`${API}/incidents/${id}`, oncallNews);
  if (!data) return html`<${Title} id=${id} /><${Waiting} error=${error} status=${status} />`;
  return html`<${Title} id=${id} one=${data} />
    <p class="now"><${Word} state=${data.state} /> for <${For} at=${since(data)} /><span class="faint"> · </span><${State} state=${data.severity} /><span class="faint"> · </span><${Text} text=${data.message} /></p>
    ${data.state !== "resolved" && html`<${IncidentActions} incident=${data} />`}
    <div class="columns"><div><${Timeline} incident=${data} /><${Symptoms} incident=${data} /></div><div><${Next} one=${data} /><${Facts} one=${data} /></div></div>
    <section class="panel" aria-labelledby="deliveries"><h2 id="deliveries">Messages <span class="faint num">${data.deliveries.length}</span></h2><${Deliveries} deliveries=${[...data.deliveries].sort((a, b) => b.delivery - a.delivery)} bare /></section>`;
}

const since = (one) => at({ triggered: one.opened, acknowledged: one.acknowledged?.at, resolved: one.resolved?.at }[one.state]);

function Title({ id, one }) {
  return html`<div class="toolbar"><div class="title"><nav class="crumb" aria-label="Path"><a href="/ui/incidents"><span aria-hidden="true">← </span>Incidents</a></nav>
    <h1 data-testid="incident-title" data-id=${id} data-state=${one?.state}>${one && html`<${Mark} state=${one.state} size=${20} />`}<span class="break"><span class="faint num">#${id}</span> ${one?.title}</span></h1></div><${Me} /></div>`;
}

function Next({ one }) {
  return html`<section class="panel" aria-labelledby="next" data-testid="next"><h2 id="next">Who knows, and what comes next</h2><ul class="steps">${lines(one).map((line, n) => html`<li key=${n}>${line}</li>`)}</ul></section>`;
}

function lines(one) {
  const lines = [];
  if (one.state === "resolved") return [html`<${Mark} state="resolved" /><span>Resolved${one.resolved.by ? html` by <b>${one.resolved.by}</b>` : ""}: <${Text} text=${one.resolved.reason} /></span>`];
  if (one.held) lines.push(html`<${Mark} state="held" label="held" /><span>Nobody is paged: <${Text} text=${one.held} /></span>`);
  const taken = one.acknowledged;
  if (one.state === "acknowledged") lines.push(html`<${Mark} state="acknowledged" /><span><b>${taken.by}</b> is at it since <${Moment} at=${at(taken.at)} />${taken.until ? html`; it pages again <b><${Until} at=${at(taken.until)} /></b>` : ""}</span>`);
  for (const page of one.paging) lines.push(html`<${Mark} state="sending" label="being paged" /><span><b>${page.user}</b> is being paged since <${Moment} at=${at(page.since)} />: <${Text} text=${page.because} />${page.next ? html`; again <b><${Until} at=${at(page.next)} /></b>` : ""}</span>`);
  for (const step of one.escalation) lines.push(html`<${Mark} state="planned" label="planned" /><span>Step ${step.step} of ${step.policy ? html`policy <b>${step.policy}</b>` : html`<b>${step.user}</b>'s own`}${step.round ? `, round ${step.round + 1},` : ""} <b><${Until} at=${at(step.due)} /></b></span>`);
  return lines.length ? lines : [html`<${Mark} state="paused" label="nobody" /><span>Nobody is being paged, and no step is left.</span>`];
}

function Symptoms({ incident }) {
  const all = [...incident.symptoms_list].sort((a, b) => b.active - a.active);
  return html`<section class="panel" aria-labelledby="symptoms"><h2 id="symptoms">Symptoms <span class="faint num">${incident.symptoms}${incident.symptoms_ever > incident.symptoms ? ` of ${incident.symptoms_ever}` : ""}</span></h2>
    <ul class="symptoms">${all.map((one) => html`<li key=${one.entity} data-testid="symptom" data-entity=${one.entity}><${Mark} state=${one.active ? one.severity : "passing"} label=${one.active ? undefined : "well again"} />
      <div><div class="break"><b>${one.title}</b> <${Entity} entity=${one.entity} /></div><div class="reason wrap"><${Text} text=${one.message} /></div></div><span class="spread faint"><${For} at=${at(one.since)} /></span></li>`)}</ul></section>`;
}

function Entity({ entity }) {
  const url = entityUrl(entity);
  return url ? html`<a class="mono small break" href=${url}>${entity}</a>` : html`<span class="mono small faint break">${entity}</span>`;
}

const TONES = { opened: "bad", joined: "bad", failed: "bad", unreached: "bad", retriggered: "bad", recovered: "good", resolved: "good", delivered: "good", acknowledged: "warn", sending: "page", escalated: "page" };

function Timeline({ incident }) {
  const [newest, setNewest] = useState(true);
  const rows = newest ? [...incident.timeline].reverse() : incident.timeline;
  return html`<section class="panel" aria-labelledby="timeline"><h2 id="timeline">Timeline <span class="faint num">${rows.length}</span>
      <button type="button" class="spread plain" onClick=${() => setNewest(!newest)}>${newest ? "Oldest first" : "Newest first"}</button></h2>
    <${Note} id=${incident.id} />
    <ol class="timeline" data-testid="timeline">${rows.map((one) => html`<li key=${one.seq} class=${`event-${TONES[one.event] ?? "plain"}`} data-event=${one.event}><span class="when"><${Moment} at=${at(one.at)} /></span><${Text} text=${one.text} /></li>`)}</ol></section>`;
}

function Note({ id }) {
  const [text, setText] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    if (text.trim() && await act("POST", `/incidents/${id}/note`, { text: text.trim() })) setText("");
  };
  return html`<form class="note-form" onSubmit=${submit}><label class="sr" for="note">Note</label><input id="note" value=${text} onInput=${(event) => setText(event.currentTarget.value)} placeholder="Write a note into the timeline" maxlength="2000" data-testid="note" />
    <button class="button" disabled=${!text.trim()}>Add</button></form>`;
}

function Facts({ one }) {
  const rows = [["Opened", moment(at(one.opened))], ["Began", moment(at(one.started))], ["Entity", html`<${Entity} entity=${one.entity} />`], ["Source", one.source], ["Routing key", one.routing_key],
    ...Object.entries(one.fields ?? {}), ...Object.entries(one.notes ?? {})].filter(([, value]) => value);
  const service = one.fields?.service;
  return html`<section class="panel" aria-labelledby="facts"><h2 id="facts">What is known${service && html`<a class="spread plain" href=${`/ui/oncall/silences?match=${encodeURIComponent(`service="${service}"`)}`}>Silence ${service}</a>`}</h2>
    <dl class="facts">${rows.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd class="break"><${Value} value=${value} /></dd></div>`)}</dl></section>`;
}

// A note that is an address, such as a runbook's, is a link; anything else is text.
function Value({ value }) {
  if (typeof value === "string" && /^https?:\/\//.test(value)) return html`<a href=${value} target="_blank" rel="noopener noreferrer">${value}</a>`;
  return value;
}
