//! Probes that run commands: on this machine and in real containers.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use super::*;

const REMEDY: &str = "this test needs a Docker engine, its `docker` command and busybox-static: \
    `cargo xtask test` installs and starts them";
const IMAGE: &str = "wharf-checks-test:1";

fn clock() -> Clock {
    Clock::fixed(wharf_catalog::Timestamp(0))
}

fn tools() -> Tools {
    Tools::new(&Config { enable_script_checks: true, ..Config::default() }, clock())
}

fn script(lines: &str) -> Probe {
    Probe::new(ProbeKind::Script { args: ["sh", "-c", lines].map(str::to_owned).to_vec() })
}

async fn execute(probe: &Probe) -> Answer {
    tokio::time::timeout(Duration::from_secs(20), run(probe, &tools())).await.expect("in time")
}

#[tokio::test]
async fn a_scripts_exit_code_is_its_status_and_what_it_prints_its_output() {
    for (lines, status) in [
        ("echo fine", Status::Passing),
        ("echo fine; exit 1", Status::Warning),
        ("echo fine; exit 2", Status::Critical),
        ("echo fine; exit 255", Status::Critical),
        ("echo fine; kill -9 $$", Status::Critical),
    ] {
        let answer = execute(&script(lines)).await;
        assert_eq!((answer.status, &*answer.output), (status, "fine\n"), "{lines}");
    }
    let both = execute(&script("echo out; echo err >&2; echo out")).await;
    assert_eq!(both.output, "out\nerr\nout\n");
    assert!(both.response_time.is_some());
}

#[tokio::test]
async fn arguments_reach_the_program_as_they_are_without_a_shell() {
    let args = ["printf", "%s|", "$HOME", "a b", "*"].map(str::to_owned).to_vec();
    let answer = execute(&Probe::new(ProbeKind::Script { args })).await;
    assert_eq!(answer.output, "$HOME|a b|*|");
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_critical_and_named() {
    for args in [vec!["/no/such/program".to_owned()], vec![], vec!["a\0b".to_owned()]] {
        let answer = execute(&Probe::new(ProbeKind::Script { args: args.clone() })).await;
        assert_eq!((answer.status, answer.response_time), (Status::Critical, None));
        let named = args.first().is_none_or(|program| answer.output.contains(&format!("{program:?}")));
        assert!(named && !answer.output.is_empty(), "{}", answer.output);
    }
}

#[tokio::test]
async fn commands_are_refused_unless_enabled() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ran");
    let here = script(&format!("touch {}", file.display()));
    let (container, args) = ("c".to_owned(), vec!["true".to_owned()]);
    let there = Probe::new(ProbeKind::Docker { container, shell: String::new(), args });
    for probe in [here, there] {
        let answer = run(&probe, &Tools::new(&Config::default(), clock())).await;
        assert_eq!(answer.status, Status::Critical);
        assert!(answer.output.contains("--enable-script-checks"), "{}", answer.output);
    }
    assert!(!file.exists());
}

#[tokio::test]
async fn of_a_long_output_the_end_is_kept() {
    let probe = Probe { output_max_size: 8, ..script("seq 100000") };
    let answer = execute(&probe).await;
    assert_eq!(answer.output, "Captured 8 of 588895 bytes\n...\n\n100000\n");
    assert_eq!(answer.status, Status::Passing);
}

/// Does the process still run? (A zombie does not.)
fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

async fn until_gone(pid: &str) {
    let gone = async {
        while runs(pid) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the process is killed");
}

#[tokio::test]
async fn at_the_timeout_a_script_goes_with_its_children() {
    let probe = Probe {
        timeout: Duration::from_millis(300),
        ..script("sleep 3600 & echo $!; trap '' TERM; echo begun; while :; do sleep 3600; done")
    };
    let answer = execute(&probe).await;
    assert_eq!((answer.status, answer.response_time), (Status::Critical, None));
    let (head, said) = answer.output.split_once("\n\n").unwrap();
    assert_eq!(head, "Timed out (300ms) running check");
    let (child, rest) = said.split_once('\n').unwrap();
    assert_eq!(rest, "begun\n");
    until_gone(child).await;
}

#[tokio::test]
async fn what_a_script_leaves_behind_holds_nothing_up_and_is_killed() {
    let answer = execute(&script("sleep 3600 & echo $!; exit 1")).await;
    assert_eq!(answer.status, Status::Warning);
    until_gone(answer.output.trim()).await;
}

#[tokio::test]
async fn a_run_that_is_broken_off_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let probe = script(&format!("sleep 3600 & echo $! > {}; wait", file.display()));
    let running = tokio::spawn(async move { run(&probe, &tools()).await });
    let child = loop {
        match std::fs::read_to_string(&file) {
            Ok(pid) if pid.ends_with('\n') => break pid.trim().to_owned(),
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    running.abort();
    until_gone(&child).await;
}

/// A container that runs until the test is over.
struct Container(String);

impl Container {
    fn start() -> Self {
        import_image();
        let id =
            docker(&["run", "-d", "--label", "wharf-checks-test", IMAGE, "/bin/busybox", "sleep", "600"]);
        Self(id)
    }

    async fn execute(&self, lines: &str, edit: impl FnOnce(&mut Probe)) -> Answer {
        let args = ["sh", "-c", lines].map(str::to_owned).to_vec();
        let container = self.0.clone();
        let mut probe = Probe::new(ProbeKind::Docker { container, shell: String::new(), args });
        edit(&mut probe);
        execute(&probe).await
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-f", &self.0]).output();
    }
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run `docker`: {error}\n{REMEDY}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {error}\n{REMEDY}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// No registry can be reached from everywhere: the image is made of this machine's static busybox.
fn import_image() {
    let lock = std::fs::File::create(std::env::temp_dir().join("wharf-checks-test.lock")).unwrap();
    lock.lock().unwrap();
    if !docker(&["images", "-q", IMAGE]).is_empty() {
        return;
    }
    assert!(Path::new("/bin/busybox").exists(), "no /bin/busybox\n{REMEDY}");
    let lines = "d=$(mktemp -d); mkdir $d/bin; cp /bin/busybox $d/bin/; ln -s busybox $d/bin/sh
        tar -C $d -c bin | docker import - \"$0\"; rm -r $d";
    let made = Command::new("sh").args(["-ec", lines, IMAGE]).stdout(Stdio::null()).status();
    assert!(made.is_ok_and(|status| status.success()), "cannot import the test image\n{REMEDY}");
}

#[tokio::test]
async fn a_command_in_a_container_says_how_it_is_with_its_exit_code() {
    let container = Container::start();
    for (lines, status) in [
        ("echo out; echo err >&2", Status::Passing),
        ("echo out; echo err >&2; exit 1", Status::Warning),
        ("echo out; echo err >&2; exit 7", Status::Critical),
    ] {
        let answer = container.execute(lines, |_| {}).await;
        assert_eq!(answer.status, status, "{lines}: {}", answer.output);
        assert!(answer.output.contains("out\n") && answer.output.contains("err\n"), "{}", answer.output);
        assert!(answer.response_time.is_some());
    }
    let cut = container.execute("busybox seq 10000", |probe| probe.output_max_size = 6).await;
    assert_eq!(cut.output, "Captured 6 of 48894 bytes\n...\n10000\n");
}

#[tokio::test]
async fn a_command_in_a_container_that_takes_too_long_is_critical() {
    let container = Container::start();
    let answer = container
        .execute("echo begun; busybox sleep 30", |probe| probe.timeout = Duration::from_secs(2))
        .await;
    assert_eq!(answer.output, "Timed out (2s) running check\n\nbegun\n");
    assert_eq!((answer.status, answer.response_time), (Status::Critical, None));
}

#[tokio::test]
async fn a_container_that_does_not_exist_is_critical_and_named() {
    docker(&["version"]);
    for container in ["wharf-no-such-container", "../containers", "", "a/../../exec?x"] {
        let absent = Container(container.to_owned());
        let answer = absent.execute("true", |_| {}).await;
        std::mem::forget(absent);
        assert_eq!(answer.status, Status::Critical);
        assert!(answer.output.contains(container), "{}", answer.output);
    }
}

#[tokio::test]
async fn an_engine_that_is_away_is_critical() {
    let docker_host = Some("unix:///no/such.sock".to_owned());
    let away = Config { docker_host, enable_script_checks: true, ..Config::default() };
    let args = vec!["true".to_owned()];
    let kind = ProbeKind::Docker { container: "c".to_owned(), shell: String::new(), args };
    let answer = run(&Probe::new(kind), &Tools::new(&away, clock())).await;
    assert_eq!(answer.status, Status::Critical);
    assert!(answer.output.contains("/no/such.sock"), "{}", answer.output);
}
