// The one floating hint of the page: shown at a point, never takes space, never catches the pointer.
import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { html } from "../dom.js";

/** { x, y, lines } or null. */
const tip = signal(null);

/** Shows `lines` above the point (window coordinates). */
export function showTip(x, y, lines) { tip.value = { x, y, lines }; }
/** Takes it away. */
export function hideTip() { tip.value = null; }

/** Its place in the document; once. */
export function Tip() {
  const element = useRef(null);
  const shown = tip.value;
  useLayoutEffect(() => {
    if (!shown || !element.current) return;
    const { width, height } = element.current.getBoundingClientRect();
    const left = Math.max(6, Math.min(window.innerWidth - width - 6, shown.x - width / 2));
    const top = shown.y - height - 10 < 6 ? shown.y + 22 : shown.y - height - 10;
    element.current.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  });
  if (!shown) return null;
  return html`<div class="tip" role="tooltip" ref=${element}>${shown.lines.map((line, at) => html`<div key=${at} class=${line.tone ?? ""}>${line.text ?? line}</div>`)}</div>`;
}

window.addEventListener("scroll", hideTip, { passive: true });
