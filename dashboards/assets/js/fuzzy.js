// Which names do these letters mean? Pure.

/** How well `text` (lower case) fits `name`: higher is better, -1 not at all. Letters in order, better together and at words' starts. */
export function score(name, text) {
  const lower = name.toLowerCase();
  const whole = lower.indexOf(text);
  if (whole >= 0) return 1000 - whole - name.length / 100 + (starts(lower, whole) ? 500 : 0) + (lower.length === text.length ? 500 : 0);
  let points = 0, from = 0, before = -2;
  for (const letter of text) {
    if (letter === " ") continue;
    const at = lower.indexOf(letter, from);
    if (at < 0) return -1;
    points += at === before + 1 ? 8 : starts(lower, at) ? 6 : -Math.min(3, at - from);
    before = at;
    from = at + 1;
  }
  return points - name.length / 100;
}

const starts = (text, at) => at === 0 || /[^a-z0-9]/.test(text[at - 1]);

/** The `most` items whose `name` fits best; all in their order for no text. */
export function best(items, text, most) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return items.slice(0, most);
  const found = [];
  for (const item of items) {
    const points = score(item.name, wanted);
    if (points > -1) found.push([points, item]);
  }
  return found.sort((a, b) => b[0] - a[0]).slice(0, most).map(([, item]) => item);
}
