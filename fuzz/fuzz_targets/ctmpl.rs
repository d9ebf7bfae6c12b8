//! Any bytes as a template in Go's language with consul-template's functions: an error with a
//! place, or a text that is the same the next time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_fuzz::render;
use wharf_template::syntax::Syntax;

fuzz_target!(|source: &[u8]| render(source, Syntax::Go));
