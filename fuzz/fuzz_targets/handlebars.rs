//! Any bytes as a Handlebars template: an error with a
//! place, or a text that is the same the next time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_fuzz::render;
use wharf_template::syntax::Syntax;

fuzz_target!(|source: &[u8]| render(source, Syntax::Handlebars));
