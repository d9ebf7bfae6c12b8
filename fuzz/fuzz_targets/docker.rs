//! Any JSON as an inspection or an event: read without panic, and wired without panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_registrator::{Config, container::Container, event::ContainerEvent, registration::wire};

fuzz_target!(|json: &[u8]| {
    if let Some(container) = serde_json::from_slice(json).ok().and_then(Container::from_inspect) {
        for internal in [false, true] {
            let _ = wire(&Config { internal, ..Config::default() }, true, &container);
        }
    }
    if let Ok(message) = serde_json::from_slice(json) {
        let _ = ContainerEvent::from_message(message);
    }
});
