//! Runs a program on behalf of a template, where that is allowed: what it prints becomes text of the template.

use std::{
    io::Read,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Longest run of a plugin.
const LIMIT: Duration = Duration::from_secs(30);
/// Most bytes taken of what it prints.
const MOST: u64 = 4 << 20;

/// What `program` prints, or why there is nothing. Blocks.
pub(super) fn run(program: &str, arguments: &[String]) -> Result<Vec<u8>, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start `{program}`: {error}"))?;
    let (output, errors) = (reader(child.stdout.take()), reader(child.stderr.take()));
    // The pipe is closed when the program has ended; one that leaves it open is not waited for.
    let Ok(printed) = output.recv_timeout(LIMIT) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("`{program}` was killed after {LIMIT:?}"));
    };
    let status = child.wait().map_err(|error| format!("`{program}` is lost: {error}"))?;
    if status.success() {
        return Ok(printed);
    }
    let said = errors.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
    let said: String =
        String::from_utf8_lossy(&said).trim().chars().filter(|c| !c.is_control()).take(300).collect();
    Err(format!("`{program}` failed ({status}): {said}"))
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let _ = pipe.take(MOST).read_to_end(&mut bytes);
        }
        let _ = done.send(bytes);
    });
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_prints_is_taken_and_its_failure_told() {
        assert_eq!(run("printf", &["%s".to_owned(), "a b".to_owned()]).unwrap(), b"a b");
        let error = run("sh", &["-c".to_owned(), "echo no >&2; exit 3".to_owned()]).unwrap_err();
        assert!(error.contains("exit status: 3") && error.ends_with("no"), "{error}");
        assert!(run("/no/such/program", &[]).unwrap_err().contains("cannot start"));
    }
}
