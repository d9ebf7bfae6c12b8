//! How may a session be named? By its UUID, in any case and with its hyphens anywhere, as Consul reads them.
//! Clients match on Consul's texts for what is none.

use std::sync::Arc;

/// Hexadecimal digits of a UUID.
const DIGITS: usize = 32;

/// The id as sessions are stored under, or why the text cannot name a session.
pub(crate) fn parse(text: &str) -> Result<Arc<str>, String> {
    check(text).map_err(|why| format!("failed session lookup: index error: {why}"))?;
    let digits: Vec<u8> = text.bytes().filter(|b| *b != b'-').map(|b| b.to_ascii_lowercase()).collect();
    Ok(if digits.len() == DIGITS { hyphenated(&digits).into() } else { text.into() })
}

fn check(text: &str) -> Result<(), String> {
    if text.len() != 36 {
        return Err("UUID must be 36 characters".to_owned());
    }
    let hyphens = text.bytes().filter(|b| *b == b'-').count();
    if hyphens > 4 {
        return Err(format!("UUID should have maximum of 4 \"-\"; got {hyphens}"));
    }
    if !(text.len() - hyphens).is_multiple_of(2) {
        return Err("Input (without hyphens) must be even length".to_owned());
    }
    match text.chars().find(|c| *c != '-' && !c.is_ascii_hexdigit()) {
        Some(odd) => {
            Err(format!("Invalid UUID: encoding/hex: invalid byte: U+{:04X} {odd:?}", u32::from(odd)))
        }
        None => Ok(()),
    }
}

fn hyphenated(digits: &[u8]) -> String {
    let mut id = String::with_capacity(36);
    for (at, digit) in digits.iter().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            id.push('-');
        }
        id.push(char::from(*digit));
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6e1d7b2a-0000-4000-8000-00000000beef";

    #[test]
    fn a_uuid_is_itself_in_any_case_and_with_its_hyphens_anywhere() {
        for spelled in [ID, "6E1D7B2A-0000-4000-8000-00000000BEEF", "----6e1d7b2a00004000800000000000beef"] {
            assert_eq!(parse(spelled).as_deref(), Ok(ID), "{spelled}");
        }
    }

    #[test]
    fn what_is_no_uuid_is_told_in_consuls_words() {
        let long = "g".repeat(36);
        for (text, why) in [
            ("x", "UUID must be 36 characters"),
            ("6e1d7b2a-0000-4000-8000-0000000-beef", "UUID should have maximum of 4 \"-\"; got 5"),
            ("6e1d7b2a-0000-4000-8000000000000beef", "Input (without hyphens) must be even length"),
            (&long, "Invalid UUID: encoding/hex: invalid byte: U+0067 'g'"),
        ] {
            let told = parse(text).unwrap_err();
            assert_eq!(told, format!("failed session lookup: index error: {why}"));
        }
        assert!(parse(&"\u{e9}".repeat(18)).is_err());
    }
}
