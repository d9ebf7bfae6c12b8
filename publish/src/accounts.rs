//! Which number has a user or group of this machine? From `/etc/passwd` and `/etc/group`.

use std::fs;

/// The number of a user, given its name or number.
pub(crate) fn user(name: &str) -> Option<u32> {
    number(name, "/etc/passwd")
}

/// The number of a group, given its name or number.
pub(crate) fn group(name: &str) -> Option<u32> {
    number(name, "/etc/group")
}

fn number(name: &str, file: &str) -> Option<u32> {
    name.parse().ok().or_else(|| find(name, &fs::read_to_string(file).ok()?))
}

/// Both files have the name first and the number third.
fn find(name: &str, text: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_found() {
        assert_eq!((user("root"), group("root"), user("1234")), (Some(0), Some(0), Some(1234)));
        assert_eq!(find("www", "root:x:0:0::/:\nwww:x:33:33::/:"), Some(33));
        assert_eq!(find("nobody-here", "root:x:0:0::/:"), None);
    }
}
