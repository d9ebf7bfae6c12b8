// Who is on duty now, until when, and who is next?
import { html } from "../dom.js";
import { at, planned, utc, zone } from "../format.js";
import { now } from "../live.js";
import { useResource, oncallNews } from "../resource.js";
import { API } from "../oncall.js";
import { Planned, Until } from "../parts/ago.js";
import { CalendarLink } from "../parts/calendarlink.js";
import { OncallHead, Waiting } from "../parts/oncall.js";
import { Mark } from "../parts/state.js";
import { Strip, daysOf } from "../parts/strip.js";

const DAY = 86_400_000;

export function Oncall() {
  const { data, error, status } = useResource(`${API}/oncall/now`, oncallNews);
  const [first] = daysOf(now.value, now.value + 1);
  const schedule = useResource(data && `${API}/oncall/schedule?${new URLSearchParams({ from: new Date(first).toISOString(), until: new Date(first + 30 * DAY).toISOString() })}`, oncallNews).data;
  if (!data) return html`<${OncallHead} /><${Waiting} error=${error} status=${status} />`;
  return html`<${OncallHead} /><p class="about faint">Times in ${zone()}, yours.</p>
    ${data.rotations.length === 0 && html`<section class="panel nothing" data-testid="empty"><h2>No rotation yet</h2><p class="faint">Add one to <code>oncall.toml</code>, or under <a href="/ui/oncall/setup">Setup</a>.</p></section>`}
    ${data.rotations.map((one) => html`<${Rotation} key=${one.rotation} one=${one} coming=${schedule?.rotations.find((other) => other.rotation === one.rotation)} from=${first} />`)}`;
}

function Rotation({ one, coming, from }) {
  const duty = one.on_duty;
  const gaps = (coming?.gaps ?? []).filter((gap) => at(gap.until) > now.value && !gap.off_hours);
  return html`<section class="panel duty" data-testid="rotation" data-rotation=${one.rotation} data-user=${duty?.user ?? ""}>
    <h2><span class="break">${one.rotation}</span><span class="faint">${[one.team, one.time_zone].filter(Boolean).join(" · ")}</span><span class="spread"><${CalendarLink} path=${one.calendar} /></span></h2>
    <div class="duty-body"><dl class="who"><div><dt>On duty</dt><dd>${duty ? html`<${Mark} state="on duty" /> <b>${duty.name || duty.user}</b>` : one.in_hours ? html`<${Mark} state="gap" /> <b class="tone-warn">nobody</b>` : html`<b class="faint">off hours</b>`}</dd>
        <dd class="faint small">${duty ? html`until <${Planned} at=${at(duty.until)} />, <${Until} at=${at(duty.until)} />${duty.cause !== "turn" && html` · ${duty.cause === "override" ? "stands in" : "traded"}`}` : `${one.in_hours ? "a gap" : "nobody is meant to be"}: a step for this rotation reaches nobody`}</dd></div>
      <div><dt>Next</dt><dd>${one.next ? one.next.name || one.next.user : "–"}</dd><dd class="faint small">${one.next && html`from <${Planned} at=${at(one.next.from)} />`}</dd></div>
      <div><dt>Gaps in 30 days</dt><dd class="num">${coming ? gaps.length ? html`<${Mark} state="gap" /> ${gaps.length}` : html`<${Mark} state="good" label="no gap" /> none` : "–"}</dd>
        <dd class="faint small">${gaps.slice(0, 1).map((gap) => html`<a key="first" href=${`/ui/oncall/calendar?at=${gap.from.slice(0, 10)}`} title=${`${utc(at(gap.from))} – ${utc(at(gap.until))}`}>${at(gap.from) <= now.value ? "now" : planned(at(gap.from))} – ${planned(at(gap.until))}</a>`)}${gaps.length > 1 && html` and ${gaps.length - 1} more`}</dd></div></dl>
    <div class="strip-holder">${coming && html`<${Strip} from=${from} until=${daysOf(from, from + 8 * DAY)[7]} rotations=${[coming]} names=${false} />`}</div></div></section>`;
}
