// Which keys are there?
import { html } from "../dom.js";
import { Dialog } from "./dialog.js";

const KEYS = [["Ctrl K", "go anywhere, do anything"], ["/", "filter"], ["j k", "down and up a list"], ["Enter", "open"], ["x", "select an incident"], ["Escape", "empty the filter, close"], ["g o", "overview"], ["g s", "services"], ["g i", "incidents"], ["g c", "on call"], ["g e", "events"], ["g n", "nodes"], ["?", "these keys"]];

export function Help({ done }) {
  return html`<${Dialog} label="Keys" onClose=${done} kind="help"><h2>Keys</h2><dl class="keys" data-testid="keys">${KEYS.map(([keys, what]) => html`<div key=${keys}><dt>${keys.split(" ").map((one) => html`<kbd key=${one}>${one}</kbd>`)}</dt><dd>${what}</dd></div>`)}</dl>
    <div class="actions"><button type="button" class="button" autofocus onClick=${done}>Close</button></div><//>`;
}
