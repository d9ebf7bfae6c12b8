//! Any path under `/v1/kv/` with any parameters: no panic, and a key that was taken is read as it was written.
//!
//! The input is the key, then, behind the first zero byte, the parameters.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_fuzz::Agent;

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    let (key, parameters) = (&input[..end], input.get(end + 1..).unwrap_or_default());
    let mut path = String::from("/v1/kv/");
    // Half of what could be said as it is is said in the roundabout way.
    for byte in key {
        match byte {
            b'a'..=b'z' | b'/' | b'.' | b'-' => path.push(char::from(*byte)),
            _ => path.push_str(&format!("%{byte:02x}")),
        }
    }
    // Waiting would be all that happens.
    let parameters = String::from_utf8_lossy(parameters).replace("wait", "w").replace("index", "i");
    Agent::with(|agent| {
        for method in ["PUT", "GET", "DELETE"] {
            let _ = agent.ask(method, &format!("{path}?{parameters}"), b"value");
        }
        let Some(taken) = agent.ask("PUT", &path, input) else { return };
        if taken.status == 200 && taken.body.starts_with(b"true") {
            let read = agent.ask("GET", &format!("{path}?raw"), b"").expect("a request");
            assert_eq!((read.status, &*read.body), (200, input), "{path}");
            let gone = agent.ask("DELETE", &path, b"").expect("a request");
            assert_eq!(gone.status, 200, "{path}");
            assert_eq!(agent.ask("GET", &path, b"").expect("a request").status, 404, "{path}");
        }
    });
});
