//! When is a message tried again?
//!
//! A person's next contact method is waiting behind a failed page, so that is given up soon; a room, and what is only to
//! hear that it is over, has no other way, so it is tried for longer.

use std::time::Duration;

use wharf_oncall::state::{Delivery, Occasion, To};

/// Before the second, third ... attempt at a person.
const PERSON: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// Before the second, third ... attempt at a room: about a quarter of an hour in all.
const ROOM: [Duration; 8] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
    Duration::from_secs(240),
    Duration::from_secs(480),
];
/// The longest that a person's contact method may ask us to wait.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a failed attempt asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// It will fail for ever.
    Never,
    /// It may go well.
    Soon,
    /// Not before.
    After(Duration),
}

/// How long to wait after attempt number `attempts` (from 1); nothing: give up.
pub(crate) fn wait(what: &Delivery, attempts: u32, again: Again) -> Option<Duration> {
    let follows = matches!(what.occasion, Occasion::Acknowledged | Occasion::Resolved);
    let hurries = matches!(what.to, To::User { .. }) && !follows;
    let waits: &[Duration] = if hurries { &PERSON } else { &ROOM };
    let planned = *waits.get(usize::try_from(attempts).ok()?.checked_sub(1)?)?;
    match again {
        Again::Never => None,
        Again::Soon => Some(planned),
        Again::After(asked) if hurries && asked > PATIENCE => None,
        Again::After(asked) => Some(planned.max(asked)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(to: To, occasion: Occasion) -> Delivery {
        let (incidents, reason, about) = (vec![1], String::new(), Vec::new());
        Delivery { to, occasion, incidents, reason, about, step: None, metered: false }
    }

    fn dana() -> To {
        To::User { user: "dana".to_owned(), contact: "duty".to_owned(), kind: "pagerduty".to_owned() }
    }

    #[test]
    fn a_person_is_not_kept_waiting_for_a_contact_method_that_fails() {
        let page = message(dana(), Occasion::Triggered);
        let total: Duration = (1..).map_while(|attempt| wait(&page, attempt, Again::Soon)).sum();
        assert!(total < Duration::from_secs(10), "{total:?}");
        assert_eq!(wait(&page, 1, Again::After(Duration::from_secs(60))), None);
        assert_eq!(wait(&page, 1, Again::Never), None);
    }

    #[test]
    fn a_room_gets_its_message_after_a_long_outage_and_as_late_as_it_asks_and_so_does_the_end_of_an_incident()
    {
        let room = To::Receiver { receiver: "ops".to_owned() };
        for what in [message(room, Occasion::Triggered), message(dana(), Occasion::Resolved)] {
            let total: Duration = (1..).map_while(|attempt| wait(&what, attempt, Again::Soon)).sum();
            assert!(total > Duration::from_secs(900), "{total:?}");
            assert_eq!(wait(&what, 1, Again::After(Duration::from_secs(90))), Some(Duration::from_secs(90)));
        }
    }
}
