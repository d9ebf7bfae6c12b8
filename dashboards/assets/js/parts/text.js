// What wharf says in words: names stand in backticks there, and are set apart here.
import { html } from "../dom.js";

export function Text({ text }) {
  const parts = (text ?? "").split("`");
  // An odd number of backticks is somebody else's text: it stays as it is.
  if (parts.length % 2 === 0) return html`<span class="break">${text}</span>`;
  return html`<span class="text break">${parts.map((part, n) => (n % 2 ? html`<code key=${n}>${part}</code>` : part))}</span>`;
}
