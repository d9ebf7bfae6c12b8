//! iCalendar feeds (RFC 5545) of who is on duty when: one event per shift, in UTC.
//!
//! An event's UID is made of the rotation and the shift's beginning, so that a calendar that is fetched again
//! changes the events it has instead of adding others. Whoever takes a shift over is a new name on the same event.

use jiff::Timestamp;

use crate::{
    config::Plan,
    schedule::{Amendments, Cause, Schedule, Shift},
};

/// Longest line, in bytes without its end (RFC 5545, 3.1).
const LINE: usize = 75;

/// The duty in `rotation` from `from` to `until` as a calendar; nothing if there is no such rotation.
pub fn of_rotation(
    plan: &Plan,
    amendments: &Amendments,
    rotation: &str,
    (from, until): (Timestamp, Timestamp),
    now: Timestamp,
) -> Option<String> {
    let schedule = Schedule::of(plan, amendments, rotation)?;
    let mut calendar = Calendar::new(&format!("{rotation} on call"), now);
    for shift in schedule.shifts(from, until) {
        calendar.event(plan, rotation, &shift);
    }
    Some(calendar.end())
}

/// The duty of `user` in all rotations; nothing if there is no such user.
pub fn of_user(
    plan: &Plan,
    amendments: &Amendments,
    user: &str,
    (from, until): (Timestamp, Timestamp),
    now: Timestamp,
) -> Option<String> {
    plan.users.get(user)?;
    let mut calendar = Calendar::new(&format!("{} on call", name(plan, user)), now);
    for rotation in plan.rotations.keys() {
        let shifts = Schedule::of(plan, amendments, rotation)?.shifts(from, until);
        for shift in shifts.iter().filter(|shift| shift.user == user) {
            calendar.event(plan, rotation, shift);
        }
    }
    Some(calendar.end())
}

fn name<'a>(plan: &'a Plan, user: &'a str) -> &'a str {
    plan.users.get(user).and_then(|found| found.name.as_deref()).unwrap_or(user)
}

struct Calendar {
    text: String,
    stamp: String,
}

impl Calendar {
    fn new(title: &str, now: Timestamp) -> Self {
        let mut calendar = Self { text: String::new(), stamp: utc(now) };
        calendar.line("BEGIN", "VCALENDAR");
        calendar.line("VERSION", "2.0");
        calendar.line("PRODID", "-//wharf//on call//EN");
        calendar.line("CALSCALE", "GREGORIAN");
        calendar.line("METHOD", "PUBLISH");
        calendar.line("X-WR-CALNAME", &escaped(title));
        calendar
    }

    fn event(&mut self, plan: &Plan, rotation: &str, shift: &Shift) {
        let why = match shift.cause {
            Cause::Turn => "",
            Cause::Swap => " (swapped)",
            Cause::Override => " (stands in)",
        };
        self.line("BEGIN", "VEVENT");
        // Seconds with their fraction, so that no two shifts share one.
        let uid = format!("{rotation}.{}@wharf", shift.from.as_millisecond());
        self.line("UID", &uid);
        let stamp = self.stamp.clone();
        self.line("DTSTAMP", &stamp);
        self.line("DTSTART", &utc(shift.from));
        self.line("DTEND", &utc(shift.until));
        self.line("SUMMARY", &escaped(&format!("{} on call: {rotation}{why}", name(plan, &shift.user))));
        self.line("TRANSP", "TRANSPARENT");
        self.line("END", "VEVENT");
    }

    fn end(mut self) -> String {
        self.line("END", "VCALENDAR");
        self.text
    }

    /// A content line, folded where it is too long, never within a character.
    fn line(&mut self, key: &str, value: &str) {
        let mut room = LINE;
        for c in key.chars().chain(":".chars()).chain(value.chars()) {
            if c.len_utf8() > room {
                self.text.push_str("\r\n ");
                room = LINE - 1;
            }
            self.text.push(c);
            room -= c.len_utf8();
        }
        self.text.push_str("\r\n");
    }
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Text as RFC 5545, 3.3.11 has it; other control characters are left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str("\\n"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let user =
            "contacts.m = { type = \"ntfy\", url = \"https://n.example/t\" }\npaging = [{ contact = \"m\" }]";
        let text = format!(
            "time_zone = \"Europe/Madrid\"\n[users.dana]\nname = \"Dana; the, \\\\\\nfirst {}\"\n{user}\n\
             [users.lee]\n{user}\n[rotations.primary]\nstart = \"2026-03-23T09:00\"\nevery = \"week\"\n\
             members = [\"dana\", \"lee\"]\n",
            "ü".repeat(60)
        );
        Plan::from_toml(&text, None).unwrap()
    }

    fn window() -> (Timestamp, Timestamp) {
        ("2026-03-23T08:00Z".parse().unwrap(), "2026-04-05T00:00Z".parse().unwrap())
    }

    fn feed(user: Option<&str>, now: &str) -> String {
        let (plan, amendments, now) = (plan(), Amendments::default(), now.parse().unwrap());
        match user {
            Some(user) => of_user(&plan, &amendments, user, window(), now).unwrap(),
            None => of_rotation(&plan, &amendments, "primary", window(), now).unwrap(),
        }
    }

    #[test]
    fn a_rotation_has_one_event_per_shift_in_utc_over_the_change_of_the_clock() {
        let feed = feed(None, "2026-03-01T00:00Z");
        assert_eq!(feed.matches("BEGIN:VEVENT\r\n").count(), 2);
        assert!(feed.contains("DTSTART:20260323T080000Z\r\nDTEND:20260330T070000Z\r\n"), "{feed}");
        assert!(feed.contains("DTSTART:20260330T070000Z\r\nDTEND:20260406T070000Z\r\n"), "{feed}");
        assert!(feed.contains("SUMMARY:lee on call: primary\r\n"), "{feed}");
        assert!(feed.starts_with("BEGIN:VCALENDAR\r\n") && feed.ends_with("END:VCALENDAR\r\n"));
    }

    #[test]
    fn uids_stay_when_the_feed_is_fetched_again() {
        let uids = |now| {
            let feed = feed(None, now);
            feed.lines().filter(|line| line.starts_with("UID:")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(uids("2026-03-01T00:00Z"), uids("2026-03-25T00:00Z"));
        assert_eq!(uids("2026-03-01T00:00Z")[0], "UID:primary.1774252800000@wharf");
    }

    #[test]
    fn a_user_has_only_their_own() {
        assert_eq!(feed(Some("lee"), "2026-03-01T00:00Z").matches("BEGIN:VEVENT").count(), 1);
        assert!(of_user(&plan(), &Amendments::default(), "x", window(), Timestamp::UNIX_EPOCH).is_none());
    }

    #[test]
    fn text_is_escaped_and_lines_are_folded_between_characters() {
        let feed = feed(Some("dana"), "2026-03-01T00:00Z");
        assert!(feed.split("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')), "{feed}");
        let unfolded = feed.replace("\r\n ", "");
        assert!(unfolded.contains("SUMMARY:Dana\\; the\\, \\\\\\nfirst üü"), "{unfolded}");
    }
}
