// A filter box whose text lives in the URL; "/" goes there, Escape empties it.
import { useEffect, useRef } from "preact/hooks";
import { html } from "../dom.js";
import { plain } from "../keys.js";
import { query, setQuery } from "../router.js";

/** Words typed so far. */
export const filterText = () => query.value.get("q") ?? "";

export function Filter({ placeholder }) {
  const input = useRef(null);
  useEffect(() => {
    const key = (event) => {
      if (event.key !== "/" || !plain(event)) return;
      event.preventDefault();
      input.current?.focus();
      input.current?.select();
    };
    document.addEventListener("keydown", key);
    return () => document.removeEventListener("keydown", key);
  }, []);
  const escape = (event) => {
    if (event.key !== "Escape") return;
    if (filterText()) setQuery({ q: "" });
    else event.currentTarget.blur();
  };
  return html`<label class="filter"><span class="sr">Filter</span>
    <input ref=${input} type="search" value=${filterText()} placeholder=${placeholder} spellcheck="false" autocomplete="off" autocapitalize="off"
      data-testid="filter" onInput=${(event) => setQuery({ q: event.currentTarget.value })} onKeyDown=${escape} />
    <kbd aria-hidden="true">/</kbd></label>`;
}
