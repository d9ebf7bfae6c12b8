// A command to copy.
import { useRef, useState } from "preact/hooks";
import { html } from "../dom.js";

/** Shows `text` in a box with a button that copies it. */
export function Copy({ text }) {
  const [done, setDone] = useState(false);
  const code = useRef(null);
  const copy = async () => {
    if (!(await toClipboard(text, code.current))) return;
    setDone(true);
    setTimeout(() => setDone(false), 1600);
  };
  return html`<div class="copy"><pre><code ref=${code}>${text}</code></pre>
    <button type="button" class="button" onClick=${copy} aria-label="Copy the command">${done ? "Copied" : "Copy"}</button></div>`;
}

/** Copies `text`, shown in `element`. */
// The clipboard interface exists only on https and localhost; elsewhere select the text and ask the old way.
export async function toClipboard(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    window.getSelection().selectAllChildren(element);
    return document.execCommand("copy");
  }
}
