//! The configurations that the documentation shows can be used.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use wharf_oncall::Plan;

#[test]
fn the_example_holds_together_and_has_every_section() {
    let text = include_str!("../../../docs/oncall.example.toml");
    let plan = Plan::from_toml(text, None).unwrap();
    let shown = serde_json::to_value(&plan).unwrap();
    for (section, value) in shown.as_object().unwrap() {
        let empty = value.as_object().is_some_and(serde_json::Map::is_empty)
            || value.as_array().is_some_and(Vec::is_empty);
        assert!(!empty, "the example says nothing of `{section}`");
    }
}

#[test]
fn it_can_be_a_table_of_the_settings_file_too() {
    let text = include_str!("../../../docs/oncall.example.toml");
    let prefixed: String = text
        .lines()
        .map(|line| match (line.strip_prefix("[["), line.strip_prefix('[')) {
            (Some(rest), _) => format!("[[oncall.{rest}\n"),
            (None, Some(rest)) => format!("[oncall.{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let prefixed = format!("http_addr = \"127.0.0.1:8500\"\n[oncall]\n{prefixed}");
    assert_eq!(Plan::from_toml(&prefixed, Some("oncall")).unwrap(), Plan::from_toml(text, None).unwrap());
}

#[test]
fn every_piece_of_configuration_in_the_manual_can_be_used() {
    let manual = include_str!("../../../docs/oncall.md");
    let pieces: Vec<&str> =
        manual.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(pieces.len() >= 2);
    for piece in pieces {
        if let Err(problems) = Plan::from_toml(piece, None) {
            panic!("{problems}\n{piece}");
        }
    }
}
