//! Which signal is it? Docker names them by number or word, with or without `SIG`.

use std::fmt;

/// A Linux signal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal(pub i32);

const NAMES: [(&str, i32); 13] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ABRT", 6),
    ("KILL", 9),
    ("USR1", 10),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("CONT", 18),
    ("STOP", 19),
    ("WINCH", 28),
];
/// What the kernel numbers first among the real-time signals that programs may use.
const RTMIN: i32 = 34;

impl Signal {
    /// `SIGTERM`: asks a process to end.
    pub const TERM: Self = Self(15);
    /// `SIGKILL`: ends a process.
    pub const KILL: Self = Self(9);

    /// Reads `15`, `TERM`, `SIGTERM`, `SIGRTMIN+3`; `None` for what is no signal.
    pub fn parse(text: &str) -> Option<Self> {
        let upper = text.trim().to_ascii_uppercase();
        if let Ok(number) = upper.parse::<i32>() {
            return (1..=64).contains(&number).then_some(Self(number));
        }
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some(offset) = name.strip_prefix("RTMIN") {
            let offset: i32 = if offset.is_empty() { 0 } else { offset.parse().ok()? };
            return (0..=30).contains(&offset).then_some(Self(RTMIN + offset));
        }
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| Self(*number))
    }

    /// Does a container with this `stop` signal end because of it?
    pub fn ends(self, stop: Self) -> bool {
        self == stop || self == Self::KILL || self == Self::TERM
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None => write!(f, "signal {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_by_number_and_by_every_spelling_of_their_name() {
        for text in ["15", "TERM", "SIGTERM", "sigterm", " 15 "] {
            assert_eq!(Signal::parse(text), Some(Signal::TERM), "{text}");
        }
        assert_eq!(Signal::parse("SIGRTMIN+3"), Some(Signal(37)));
        for text in ["", "SIG", "0", "99", "SIGRTMIN+99", "NONSENSE"] {
            assert_eq!(Signal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_container_ends_by_its_stop_signal_term_or_kill_and_no_other() {
        let quit = Signal(3);
        assert!(quit.ends(quit) && Signal::KILL.ends(quit) && Signal::TERM.ends(quit));
        assert!(!Signal(1).ends(quit) && !quit.ends(Signal::TERM));
    }
}
