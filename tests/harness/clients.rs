//! Programs of other people that talk to a Consul: found, or fetched once and kept between runs.
//!
//! Where one cannot be had, that is said on stderr and its journey is skipped.

use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::{Wharf, until};

/// No single call of a client takes nearly as long; one that hangs is ended.
const LIMIT: &str = "60";

/// Looks a program up in PATH; says that its journey is skipped where there is none.
pub fn program(name: &str) -> Option<PathBuf> {
    let found = on_path(name);
    if found.is_none() {
        eprintln!("skipped: there is no `{name}` on this machine's PATH");
    }
    found
}

/// The real `consul`: what `CONSUL_BIN` names, or the one in PATH.
pub fn consul() -> Option<PathBuf> {
    let found = std::env::var_os("CONSUL_BIN").map(PathBuf::from).filter(|path| path.is_file());
    let found = found.or_else(|| on_path("consul"));
    if found.is_none() {
        eprintln!("skipped: there is no `consul` on this machine's PATH, nor does CONSUL_BIN name one");
    }
    found
}

/// A Python that has `package` (`name==version`), in a virtual environment of its own.
pub fn python_with(package: &str) -> Option<PathBuf> {
    let python = program("python3")?;
    let folder = kept(package, |folder| {
        run(Command::new(&python).args(["-m", "venv", "--clear"]).arg(folder))?;
        run(Command::new(folder.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"])
            .args(["--timeout", "10", "--retries", "1", package]))
    })?;
    Some(folder.join("bin/python"))
}

/// A folder to be named in `NODE_PATH`, with `package` (`name@version`) from npm.
pub fn node_modules_with(package: &str) -> Option<PathBuf> {
    let npm = program("npm")?;
    let folder = kept(package, |folder| {
        run(Command::new(&npm)
            .args(["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"])
            .args(["--fetch-timeout=10000", "--fetch-retries=1", "--prefix"])
            .arg(folder)
            .arg(package))
    })?;
    Some(folder.join("node_modules"))
}

/// Runs a script of `tests/clients` against `wharf`, and shows what it said if it is not content.
pub fn content(mut interpreter: Command, script: &str, wharf: &Wharf) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients").join(script);
    let address = wharf.http;
    interpreter.arg(script).args([address.ip().to_string(), address.port().to_string()]);
    let said = run(&mut interpreter).unwrap_or_else(|said| panic!("{said}"));
    eprintln!("{said}");
}

/// Runs a command to its end, within the limit: what it said on stdout, or else all it said.
pub fn run(command: &mut Command) -> Result<String, String> {
    let output = limited(command).stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let program = command.get_program().display();
    Err(format!("{program}: {}\n{stdout}\n{stderr}", output.status))
}

/// The same command under `timeout`, of coreutils.
fn limited(command: &Command) -> Command {
    let mut limited = Command::new("timeout");
    limited.args(["--kill-after=5", LIMIT]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        limited.current_dir(folder);
    }
    limited
}

/// A client in the background, with all it started; killed when dropped.
pub struct Background(Child);

impl Background {
    /// Starts it; what it says goes to the file `said`.
    pub fn start(command: &mut Command, said: &Path) -> Self {
        let said = File::create(said).expect("a file for its words");
        let streams = (said.try_clone().expect("the same file"), said);
        Self(
            command
                .stdin(Stdio::null())
                .stdout(streams.0)
                .stderr(streams.1)
                .process_group(0)
                .spawn()
                .expect("start"),
        )
    }

    /// Ends it as a power cut would.
    pub fn kill_nine(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.0.wait();
    }

    /// Waits for its end, which has to be a good one.
    pub async fn succeeds(&mut self, said: &Path) {
        let ended = async || self.0.try_wait().expect("wait");
        let status = until("a client ends", ended, Option::is_some).await;
        assert!(status.is_some_and(|status| status.success()), "{}", text(said));
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.kill_nine();
    }
}

/// What a file has, nothing where there is none.
pub fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

/// A folder that `fill` has filled, now or in an earlier run. Runs at the same time wait for each other.
fn kept(name: &str, fill: impl FnOnce(&Path) -> Result<String, String>) -> Option<PathBuf> {
    let clients = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    let (folder, complete) = (clients.join(name), clients.join(format!("{name}.complete")));
    fs::create_dir_all(&folder).expect("a folder for clients");
    let lock = File::create(clients.join(format!("{name}.lock"))).expect("a lock file");
    lock.lock().expect("lock");
    if complete.exists() {
        return Some(folder);
    }
    match fill(&folder) {
        Ok(_) => {
            File::create(complete).expect("a mark");
            Some(folder)
        }
        Err(said) => {
            eprintln!("skipped: {name} cannot be had here: {said}");
            None
        }
    }
}

fn on_path(name: impl AsRef<OsStr>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name.as_ref())).find(|path| path.is_file())
}
