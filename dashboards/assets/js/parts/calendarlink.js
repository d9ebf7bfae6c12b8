// The address of an iCalendar feed, to copy into a calendar.
import { useState } from "preact/hooks";
import { html } from "../dom.js";
import { toClipboard } from "./copy.js";

export function CalendarLink({ path }) {
  const [done, setDone] = useState(false);
  if (!path) return null;
  const url = new URL(path, window.location.origin).href;
  const copy = async (event) => {
    if (!(await toClipboard(url, event.currentTarget.querySelector(".sr")))) return;
    setDone(true);
    setTimeout(() => setDone(false), 1600);
  };
  return html`<button type="button" class="plain" onClick=${copy} title="Copy the address of this calendar (iCalendar); who has it can read it" data-testid="calendar-link">${done ? "Copied" : "Calendar link"}<span class="sr">${url}</span></button>`;
}
