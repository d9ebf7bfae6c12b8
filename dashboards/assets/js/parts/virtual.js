// A long list of which only what is in view, and a little around it, exists as elements.
import { useLayoutEffect, useRef, useState } from "preact/hooks";

const AROUND = 10; // rows beyond the edges, so that scrolling and walking find them ready
const STEP = 6; // how far the view moves before other rows are made

/**
 * Which of `rows` to show in the list that `ref` marks: { from, to, above, below }, the latter two the heights in pixels of what
 * is left out. `height(row)` has to be what the row will measure.
 */
export function useVirtual(rows, height, ref) {
  const tops = useRef({});
  if (tops.current.rows !== rows || tops.current.height !== height) tops.current = { rows, height, at: stacked(rows, height) };
  const { at } = tops.current;
  const [first, setFirst] = useState(0);
  useLayoutEffect(() => {
    let asked = 0;
    const look = () => {
      asked = 0;
      if (!ref.current) return;
      const top = -ref.current.getBoundingClientRect().top;
      setFirst(Math.floor(index(tops.current.at, top) / STEP) * STEP);
    };
    const scrolled = () => { asked ||= requestAnimationFrame(look); };
    window.addEventListener("scroll", scrolled, { passive: true });
    window.addEventListener("resize", scrolled);
    look();
    return () => {
      cancelAnimationFrame(asked);
      window.removeEventListener("scroll", scrolled);
      window.removeEventListener("resize", scrolled);
    };
  }, [rows, height]);
  const from = Math.max(0, Math.min(first, rows.length - 1) - AROUND);
  const to = Math.min(rows.length, index(at, at[Math.max(0, Math.min(first, rows.length - 1))] + window.innerHeight) + STEP + AROUND);
  return { from, to, above: at[from], below: at[rows.length] - at[to] };
}

/** Where each row begins; one more for the end of the last. */
function stacked(rows, height) {
  const at = [0];
  for (const row of rows) at.push(at.at(-1) + height(row));
  return at;
}

/** The row at `top`: the last that begins at or above it. */
function index(at, top) {
  let [low, high] = [0, at.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (at[middle] <= top) low = middle;
    else high = middle - 1;
  }
  return low;
}
