// A dialog over the page: keeps the focus, ends with Escape or a click beside it.
import { useLayoutEffect, useRef } from "preact/hooks";
import { html } from "../dom.js";

export function Dialog({ label, onClose, kind = "", children }) {
  const element = useRef(null);
  // Not after the next frame: what is typed meanwhile would reach the page below.
  useLayoutEffect(() => {
    const back = document.activeElement;
    element.current.showModal();
    return () => back?.focus?.();
  }, []);
  const beside = (event) => { if (event.target === element.current) onClose(); };
  const cancel = (event) => { event.preventDefault(); onClose(); };
  return html`<dialog ref=${element} class=${`dialog ${kind}`} aria-label=${label} onClick=${beside} onCancel=${cancel}>${children}</dialog>`;
}
