// In whose name does this page act?
import { useState } from "preact/hooks";
import { html } from "../dom.js";
import { asking, entries, me, setMe, useConfig } from "../oncall.js";
import { Dialog } from "./dialog.js";

/** Shows who acts, and lets it be changed. */
export function Me() {
  return html`<button type="button" class="me" data-testid="me" data-name=${me.value} onClick=${() => { asking.value = () => {}; }}
    title="Who acts on this page; remembered in this browser">${me.value ? html`<span class="faint">acting as</span> <b>${me.value}</b>` : "Who are you?"}</button>`;
}

/** Asks, when an action needs a name; once in the document. */
export function AskMe() {
  return asking.value ? html`<${Ask} done=${asking.value} />` : null;
}

function Ask({ done }) {
  const users = entries(useConfig().data?.users);
  const [name, setName] = useState(me.peek());
  const end = (chosen) => {
    if (chosen) setMe(chosen);
    asking.value = null;
    done(chosen || null);
  };
  const submit = (event) => { event.preventDefault(); end(name.trim()); };
  return html`<${Dialog} label="Who are you?" onClose=${() => end(null)}><form onSubmit=${submit} class="ask">
    <h2>Who are you?</h2><p class="faint">What you do here is written down with this name. It is remembered in this browser.</p>
    ${users.length > 0 && html`<div class="choices">${users.map((user) => html`<button key=${user.key} type="button" class="chip" data-testid=${`me-${user.key}`} aria-pressed=${String(me.peek() === user.key)}
      onClick=${() => end(user.key)}>${user.name && user.name !== user.key ? `${user.name} (${user.key})` : user.key}</button>`)}</div>`}
    <label class="field"><span>${users.length ? "Or any other name" : "Your name"}</span><input value=${name} onInput=${(event) => setName(event.currentTarget.value)} maxlength="64" autocomplete="nickname" data-testid="me-name" /></label>
    <div class="actions"><button type="button" class="button" onClick=${() => end(null)}>Cancel</button><button class="button primary" disabled=${!name.trim()}>Continue</button></div></form><//>`;
}
