// Times that tick. What is shown is local; UTC is behind it.
import { html } from "../dom.js";
import { moment, planned, span, utc } from "../format.js";
import { now } from "../live.js";

const iso = (at) => new Date(at).toISOString();

/** How long it has been since `at`: "3 m". */
export function For({ at }) {
  if (!at) return html`<span class="faint">–</span>`;
  return html`<time class="num" datetime=${iso(at)} title=${`since ${moment(at)} (${utc(at)})`}>${span(now.value - at)}</time>`;
}

/** A moment, and how long ago that was. */
export function Moment({ at }) {
  return html`<time class="num" datetime=${iso(at)} title=${`${utc(at)}, ${span(now.value - at)} ago`}>${moment(at)}</time>`;
}

/** Something that is to come: "Sun 22 Nov 09:00". */
export function Planned({ at }) {
  return html`<time class="num" datetime=${iso(at)} title=${utc(at)}>${planned(at)}</time>`;
}

/** How long until `at`: "in 3 m", or "now". */
export function Until({ at }) {
  const left = at - now.value;
  return html`<time class="num" datetime=${iso(at)} title=${`${moment(at)} (${utc(at)})`}>${left > 0 ? `in ${span(left)}` : "now"}</time>`;
}

/** Length of something that may still go on. */
export function Lasted({ from, to }) {
  return html`<span class="num">${span((to ?? now.value) - from)}</span>`;
}
