//! Any text as consul-template's settings: taken over, or one complaint that names a place in it; never a panic.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use wharf_template::{Config, import};

fuzz_target!(|text: &str| {
    let file = Path::new("old.hcl");
    let mut config = Config::default();
    match import::apply(&mut config, file, text) {
        Ok(_) => {
            let mut again = Config::default();
            import::apply(&mut again, file, text).expect("what was read once is read again");
            assert_eq!(config.templates.len(), again.templates.len());
            // A contradiction is told, too.
            let _ = config.validate();
        }
        Err(error) => {
            // Right behind the end counts as a place.
            assert!((1..=text.lines().count() + 1).contains(&error.line), "line {}", error.line);
            assert!(error.column >= 1 && error.file == file && !error.reason.is_empty());
        }
    }
});
