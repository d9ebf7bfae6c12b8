//! What does the running HAProxy say of itself? Pure: the answers of its command socket -> [`Actual`].

use std::{collections::BTreeSet, net::SocketAddr};

use super::plan::{Layout, Slot};
use crate::routes::ServiceName;

/// The first word of our backends' names.
const PREFIX: &str = "wharf-";
/// `SRV_ADMF_CMAINT`: how a server's line began; says nothing about now.
const DISABLED_IN_FILE: u32 = 0x04;

/// From `show servers state` (management guide, 9.3; version 1 of the format). What is not ours is left out.
pub fn layout(answer: &str) -> Layout {
    let mut layout = Layout::new();
    for line in answer.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let Some((name, index, slot)) = server(&fields) else { continue };
        let slots: &mut Vec<Slot> = layout.entry(name).or_default();
        if slots.len() <= index {
            slots.resize(index + 1, Slot::FREE);
        }
        slots[index] = slot;
    }
    layout
}

/// Most slots believed of one backend: the answer is a stranger's too.
const MOST_SLOTS: usize = 65_536;

fn server(fields: &[&str]) -> Option<(ServiceName, usize, Slot)> {
    let name = ServiceName::parse(fields.get(1)?.strip_prefix(PREFIX)?)?;
    let number: usize = fields.get(3)?.strip_prefix('s')?.parse().ok()?;
    let index = number.checked_sub(1).filter(|index| *index < MOST_SLOTS)?;
    let admin: u32 = fields.get(6)?.parse().ok()?;
    let ip = fields.get(4)?.parse().ok()?;
    let address = SocketAddr::new(ip, fields.get(18)?.parse().ok()?);
    let ready = admin & !DISABLED_IN_FILE == 0;
    let nowhere = address.ip() == std::net::IpAddr::from([192, 0, 2, 1]);
    Some((
        name,
        index,
        Slot {
            address: (!nowhere).then_some(address),
            weight: fields.get(7)?.parse().ok()?,
            ready,
            idle: if nowhere { u64::MAX } else { fields.get(9)?.parse().ok()? },
        },
    ))
}

/// From `show map`: `ADDRESS KEY VALUE` lines.
pub fn routed(answer: &str) -> BTreeSet<ServiceName> {
    let entry = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (_, key, value) = (words.next()?, words.next()?, words.next()?);
        let name = ServiceName::parse(key.strip_suffix('.')?)?;
        (value.strip_prefix(PREFIX) == Some(name.as_str())).then_some(name)
    };
    answer.lines().filter_map(entry).collect()
}

/// The process id in `show info`.
pub fn pid(answer: &str) -> Option<u32> {
    answer.lines().find_map(|line| line.strip_prefix("Pid: "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STATE: &str = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port
3 wharf-web 1 s1 127.0.0.1 2 0 1 1 2 1 0 2 0 0 0 0 - 21001 - 0 0 - - 0
3 wharf-web 2 s2 127.0.0.1 2 4 3 1 0 1 0 0 8 0 0 0 - 21002 - 0 0 - - 0
3 wharf-web 3 s3 192.0.2.1 0 5 1 1 7 1 0 0 8 0 0 0 - 9 - 0 0 - - 0
3 wharf-web 4 s4 10.0.0.1 0 1 1 1 7 1 0 0 8 0 0 0 - 80 - 0 0 - - 0
4 mine 1 s1 127.0.0.1 2 0 1 1 2 1 0 2 0 0 0 0 - 21001 - 0 0 - - 0
";

    #[test]
    fn slots_are_read_as_they_are_and_strangers_left_out() {
        let layout = layout(STATE);
        assert_eq!(layout.len(), 1);
        let slots = layout.values().next().unwrap();
        let seen: Vec<_> =
            slots.iter().map(|slot| (slot.address.map(|a| a.port()), slot.ready, slot.weight)).collect();
        assert_eq!(
            seen,
            [(Some(21001), true, 1), (Some(21002), true, 3), (None, false, 1), (Some(80), false, 1)]
        );
    }

    #[test]
    fn map_and_pid_are_read() {
        let map = "0x563b76d4ed50 web. wharf-web\n0x563b76d4ede0 v1.web. wharf-v1.web\n0x1 x. other\n";
        assert_eq!(routed(map).iter().map(ServiceName::as_str).collect::<Vec<_>>(), ["v1.web", "web"]);
        assert_eq!(pid("Name: HAProxy\nPid: 13478\n"), Some(13478));
    }

    proptest! {
        #[test]
        fn no_answer_panics(text in ".{0,200}", field in 0usize..25, word in "\\PC{0,12}") {
            layout(&text);
            routed(&text);
            let line = STATE.lines().nth(2).unwrap();
            let mut fields: Vec<&str> = line.split(' ').collect();
            if field < fields.len() { fields[field] = &word; }
            layout(&fields.join(" "));
        }
    }
}
