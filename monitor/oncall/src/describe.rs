//! A timeline in words: what happened, and why.

use std::fmt;

use crate::{
    civil,
    event::{Event, Record},
    state::{Assignment, Occasion, To},
};

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at, self.event)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sending { .. } | Self::HeldBack { .. } | Self::Delivered { .. } => self.sending(f),
            Self::Failed { .. } | Self::Cancelled { .. } | Self::Unreached { .. } => self.sending(f),
            Self::Dropped { user, reason, .. } => write!(f, "{user} is not paged any more: {reason}"),
            Self::ClockBack { by } => write!(f, "the clock was set back by {}", civil::words(*by)),
            Self::Opened { .. } | Self::Joined { .. } | Self::Changed { .. } => self.alert(f),
            Self::Refreshed { .. } | Self::Recovered { .. } | Self::Muted { .. } => self.alert(f),
            Self::Merged { .. } | Self::Quieting { .. } | Self::Settling { .. } => self.turn(f),
            Self::Settled { .. } | Self::Resolved { .. } | Self::Acknowledged { .. } => self.turn(f),
            Self::Retriggered { .. } | Self::Reassigned { .. } | Self::Noted { .. } => self.turn(f),
            Self::Held { .. } | Self::Released { .. } | Self::Escalated { .. } => self.turn(f),
            _ => self.setting(f),
        }
    }
}

impl Event {
    fn alert(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened { incident, alert, reason, .. } => {
                write!(
                    f,
                    "opened as #{incident}: `{}` is {}: {}",
                    alert.entity,
                    alert.kind,
                    alert.headline()
                )?;
                write!(f, " ({reason})")
            }
            Self::Joined { alert, reason, .. } => {
                write!(f, "`{}` is {} too: {} ({reason})", alert.entity, alert.kind, alert.headline())
            }
            Self::Changed { alert, .. } => {
                write!(f, "`{}` is {}: {}", alert.entity, alert.kind, alert.headline())
            }
            Self::Refreshed { entity, expires: Some(at), .. } => {
                write!(f, "`{entity}` was said again, until {at}")
            }
            Self::Refreshed { entity, .. } => write!(f, "`{entity}` was said again"),
            Self::Recovered { entity, reason, .. } => write!(f, "`{entity}` is well again: {reason}"),
            Self::Muted { entity, message, reason, .. } => {
                write!(f, "nobody is told of `{entity}`: {message} ({reason})")
            }
            _ => Ok(()),
        }
    }

    fn turn(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Merged { incident, into, reason, .. } => {
                write!(f, "#{incident} is a part of #{into}: {reason}")
            }
            Self::Quieting { until, reason, .. } => write!(f, "stays open until {until}: {reason}"),
            Self::Settling { until, reason, .. } => write!(f, "waits until {until} for the rest: {reason}"),
            Self::Settled { .. } => write!(f, "has waited for the rest"),
            Self::Resolved { by: Some(by), reason, .. } => write!(f, "resolved by {by}: {reason}"),
            Self::Resolved { reason, .. } => write!(f, "resolved: {reason}"),
            Self::Acknowledged { by, note, until, .. } => {
                write!(f, "acknowledged by {by}")?;
                until.map_or(Ok(()), |until| write!(f, " until {until}"))?;
                if note.is_empty() { Ok(()) } else { write!(f, ": {note}") }
            }
            Self::Retriggered { reason, .. } => write!(f, "pages again: {reason}"),
            Self::Reassigned { by, to, .. } => write!(f, "given to {to} by {by}"),
            Self::Noted { by, text, .. } => write!(f, "{by}: {text}"),
            Self::Held { reason, .. } => write!(f, "pages nobody: {reason}"),
            Self::Released { .. } => write!(f, "may page again: no longer silenced"),
            Self::Escalated { reason, .. } => f.write_str(reason),
            _ => Ok(()),
        }
    }

    fn sending(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sending { what, .. } => {
                let verb = match (&what.to, what.occasion) {
                    (_, Occasion::Test) => "tested",
                    (To::User { .. }, Occasion::Triggered) => "paged",
                    (To::User { .. } | To::Receiver { .. }, _) => "told",
                };
                write!(f, "{verb} {}: {}", what.to, what.reason)
            }
            Self::HeldBack { user, contact, until, reason, .. } => {
                write!(f, "pages {user} by {contact} at {until}, the limit of messages is reached: {reason}")
            }
            Self::Delivered { delivery, .. } => write!(f, "message {delivery} was delivered"),
            Self::Failed { whom, reason, retries, .. } => {
                write!(f, "could not reach {whom}: {reason}")?;
                if retries.is_empty() { Ok(()) } else { write!(f, "; the next contact method is tried") }
            }
            Self::Cancelled { delivery, reason, .. } => {
                write!(f, "message {delivery} is not sent any more: {reason}")
            }
            Self::Unreached { .. } => write!(f, "nobody could be reached: the next step comes at once"),
            _ => Ok(()),
        }
    }

    fn setting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SilenceSet { id, silence } => {
                let matchers: Vec<_> = silence.matchers.iter().map(ToString::to_string).collect();
                let (by, comment) = (&silence.by, &silence.comment);
                write!(f, "silence `{id}` by {by} on {}: {comment}", matchers.join(", "))?;
                write!(f, " (for {})", civil::words(civil::elapsed(silence.starts, silence.ends)))
            }
            Self::SilenceEnded { id, by } => write!(f, "silence `{id}` taken back by {by}"),
            Self::MaintenanceSet { id, by, .. } => write!(f, "maintenance `{id}` planned by {by}"),
            Self::MaintenanceEnded { id, by } => write!(f, "maintenance `{id}` taken back by {by}"),
            Self::OverrideAdded { by, substitute, .. } => {
                let (user, rotation) = (&substitute.user, &substitute.rotation);
                write!(f, "{user} stands in for `{rotation}`, ")?;
                write!(f, "from {} until {}, by {by}", substitute.from, substitute.until)
            }
            Self::SwapAdded { by, swap, .. } => {
                write!(
                    f,
                    "the shifts of `{}` at {} and {} trade, by {by}",
                    swap.rotation, swap.shift, swap.with
                )
            }
            Self::AmendmentRemoved { id, by } => write!(f, "override or swap {id} taken back by {by}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(policy) => write!(f, "policy `{policy}`"),
            Self::User(user) => f.write_str(user),
        }
    }
}

impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { user, kind, .. } => write!(f, "{user} by {kind}"),
            Self::Receiver { receiver } => write!(f, "`{receiver}`"),
        }
    }
}
