// Somebody stands in for a stretch of time, or two shifts trade.
import { useState } from "preact/hooks";
import { html } from "../dom.js";
import { at, planned } from "../format.js";
import { act, entries, useConfig } from "../oncall.js";

/** `chosen`: { rotation, shift?, from, until } out of `schedule`. */
export function StandIn({ chosen, schedule, done }) {
  const config = useConfig().data;
  const users = entries(config?.users);
  const { shift } = chosen;
  const [form, setForm] = useState({ rotation: chosen.rotation, user: "", from: local(chosen.from), until: local(chosen.until), reason: "", only: Boolean(shift) });
  const set = (key) => (event) => setForm({ ...form, [key]: event.currentTarget.type === "checkbox" ? event.currentTarget.checked : event.currentTarget.value });
  const submit = async (event) => {
    event.preventDefault();
    const body = { rotation: form.rotation, user: form.user, from: iso(form.from), until: iso(form.until), reason: form.reason.trim() };
    if (shift && form.only) body.instead_of = shift.user;
    if (await act("POST", "/oncall/overrides", body, `${form.user} stands in for ${form.rotation}`)) done();
  };
  const valid = form.user && form.from && form.until && iso(form.until) > iso(form.from);
  return html`<section class="panel" aria-label="Stand in" data-testid="stand-in"><h2>${shift ? html`Instead of ${shift.name || shift.user}` : "Somebody stands in"}<span class="faint">${form.rotation}</span><button type="button" class="spread plain" onClick=${done}>Close</button></h2>
    <form class="form padded" onSubmit=${submit}>
      ${!chosen.rotation || !shift ? html`<label class="field"><span>Rotation</span><select value=${form.rotation} onChange=${set("rotation")} data-testid="override-rotation">${schedule.rotations.map((one) => html`<option key=${one.rotation} value=${one.rotation}>${one.rotation}</option>`)}</select></label>` : null}
      <label class="field"><span>Who stands in</span><select value=${form.user} onChange=${set("user")} required data-testid="override-user"><option value="">Choose …</option>${users.filter((one) => one.key !== shift?.user).map((one) => html`<option key=${one.key} value=${one.key}>${one.name && one.name !== one.key ? `${one.name} (${one.key})` : one.key}</option>`)}</select></label>
      <label class="field"><span>From</span><input type="datetime-local" value=${form.from} onInput=${set("from")} required data-testid="override-from" /></label>
      <label class="field"><span>Until</span><input type="datetime-local" value=${form.until} onInput=${set("until")} required data-testid="override-until" /></label>
      <label class="field wide"><span>Why (optional)</span><input value=${form.reason} onInput=${set("reason")} maxlength="200" data-testid="override-reason" /></label>
      ${shift && html`<label class="tick wide"><input type="checkbox" checked=${form.only} onChange=${set("only")} /> Only where it would be ${shift.name || shift.user}'s turn</label>`}
      <div class="actions wide"><button class="button primary" disabled=${!valid} data-testid="override-save">Stand in</button></div></form>
    ${shift && html`<${Trade} chosen=${chosen} schedule=${schedule} done=${done} />`}</section>`;
}

// The other shifts in view that somebody else has.
function Trade({ chosen, schedule, done }) {
  const [other, setOther] = useState("");
  const lane = schedule.rotations.find((one) => one.rotation === chosen.rotation);
  const others = (lane?.shifts ?? []).filter((one) => one.user !== chosen.shift.user && one.cause === "turn");
  if (!others.length) return null;
  const submit = async (event) => {
    event.preventDefault();
    // A moment inside each shift names it.
    if (await act("POST", "/oncall/swaps", { rotation: chosen.rotation, shift: chosen.shift.from, with: other }, "the shifts are traded")) done();
  };
  return html`<form class="form padded trade" onSubmit=${submit}><label class="field wide"><span>Or trade with another shift in view</span><select value=${other} onChange=${(event) => setOther(event.currentTarget.value)} data-testid="swap-with"><option value="">Choose …</option>
    ${others.map((one) => html`<option key=${one.from} value=${one.from}>${one.name || one.user}, ${planned(at(one.from))} – ${planned(at(one.until))}</option>`)}</select></label>
    <div class="actions"><button class="button" disabled=${!other}>Trade</button></div></form>`;
}

const pad = (n) => String(n).padStart(2, "0");

/** Milliseconds as a local date and time field has it. */
export function local(ms) {
  const d = new Date(ms);
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}T${pad(d.getHours())}:${pad(d.getMinutes())}`;
}

/** And back, RFC 3339; "" for what is no moment. */
export function iso(text) {
  const date = new Date(text);
  return Number.isNaN(+date) ? "" : date.toISOString();
}
