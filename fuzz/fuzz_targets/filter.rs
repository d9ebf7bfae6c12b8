//! Any text as a filter: read without panic, printed and read again as the same, compiled within bounds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_catalog_filter::{Expression, Field, Filter, Shape};

const FIELDS: &[Field] = &[
    Field::new("A", Shape::Text),
    Field::new("N", Shape::Number),
    Field::new("F", Shape::Flag),
    Field::new("T", Shape::Texts),
    Field::new("M", Shape::Map(&Shape::Text)),
];

fuzz_target!(|text: &str| {
    let Ok(read) = Expression::parse(text) else {
        return;
    };
    assert_eq!(Expression::parse(&read.to_string()).as_ref(), Ok(&read), "{text:?}");
    let _ = Filter::compile(read, FIELDS);
});
