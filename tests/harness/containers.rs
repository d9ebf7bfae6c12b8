//! Real containers on a real engine, from an image made of the binary under test.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use super::{unique, wharf::BINARY};

/// Ports that may be taken by another engine's containers, one after the other.
const PORTS_TRIED: usize = 50;

/// A Docker engine: the machine's, or a private one that a journey may stop and start.
pub struct Engine {
    host: Option<String>,
    private: Option<Private>,
}

struct Private {
    folder: tempfile::TempDir,
    /// Do its containers go on running while it is restarted?
    lets_live: bool,
    daemon: Option<Child>,
    bridge: String,
}

impl Engine {
    /// The machine's engine. Panics with the remedy when there is none.
    pub fn of_this_machine() -> Self {
        let engine = Self { host: None, private: None };
        let answer = engine.docker(&["info", "--format", "{{.ServerVersion}}"]).output().expect("run docker");
        let reason = String::from_utf8_lossy(&answer.stderr).into_owned();
        assert!(
            answer.status.success(),
            "no Docker engine answers; `cargo xtask test` installs and starts one: {reason}"
        );
        engine
    }

    /// Where it listens, for `--docker-host`.
    pub fn host(&self) -> String {
        self.host.clone().unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned())
    }

    /// A docker command against this engine.
    pub fn docker(&self, args: &[&str]) -> Command {
        let mut command = Command::new("docker");
        if let Some(host) = &self.host {
            command.args(["-H", host]);
        }
        command.args(args).stdin(Stdio::null());
        command
    }

    /// Runs a docker command to its end; gives what it printed.
    ///
    /// Engines of one machine give out published ports from the same range without knowing of each other: one that finds
    /// a port taken fails, and goes on to the next port when it is asked again.
    pub fn ok(&self, args: &[&str]) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        for _ in 0..PORTS_TRIED {
            let output = self.docker(args).output().expect("run docker");
            if output.status.success() {
                return text(&output.stdout);
            }
            let why = text(&output.stderr);
            assert!(why.contains("address already in use"), "docker {args:?}: {why}");
            if let (Some(&"run"), Some(at)) = (args.first(), args.iter().position(|arg| *arg == "--name")) {
                let _ = self.docker(&["rm", "-f", args[at + 1]]).output();
            }
        }
        panic!("docker {args:?}: {PORTS_TRIED} ports in a row are taken")
    }

    /// An engine of this journey's own, with a bridge of its own. Its containers end with it.
    pub fn private() -> Self {
        Self::private_with(false)
    }

    /// As [`Self::private`], but its containers go on running while it is restarted (`live-restore`).
    pub fn private_that_lets_live() -> Self {
        Self::private_with(true)
    }

    fn private_with(lets_live: bool) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let host = format!("unix://{}/docker.sock", folder.path().display());
        // Interface names have 15 characters at most.
        let bridge = format!("wt{}", std::process::id());
        let mut engine =
            Self { host: Some(host), private: Some(Private { folder, lets_live, daemon: None, bridge }) };
        engine.create_bridge();
        engine.start();
        engine
    }

    fn create_bridge(&self) {
        let Some(private) = &self.private else { return };
        // One of 10.213.0.0/16 ... chosen by pid, so that two runs do not collide.
        let address = format!("10.213.{}.1/24", std::process::id() % 250);
        let add = ["link", "add", "name", &private.bridge, "type", "bridge"].map(str::to_owned);
        let number = ["addr", "add", &address, "dev", &private.bridge].map(str::to_owned);
        let up = ["link", "set", &private.bridge, "up"].map(str::to_owned);
        for step in [&add[..], &number[..], &up[..]] {
            assert!(Command::new("ip").args(step).status().expect("run ip").success(), "ip {step:?}");
        }
    }

    /// Starts the private daemon and waits until it answers.
    pub fn start(&mut self) {
        let host = self.host();
        let Some(private) = &mut self.private else { panic!("not a private engine") };
        let at = |name: &str| private.folder.path().join(name).display().to_string();
        let log = std::fs::File::create(at("daemon.log")).expect("log");
        let daemon = Command::new("dockerd")
            .args([
                "-H",
                &host,
                "--data-root",
                &at("data"),
                "--exec-root",
                &at("exec"),
                "--pidfile",
                &at("pid"),
            ])
            .args([
                "--bridge",
                &private.bridge,
                "--iptables=false",
                "--ip-masq=false",
                &format!("--live-restore={}", private.lets_live),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("start dockerd");
        private.daemon = Some(daemon);
        for _ in 0..600 {
            if self
                .docker(&["version"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|s| s.success())
            {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let Some(private) = &self.private else { return };
        let log = std::fs::read_to_string(private.folder.path().join("daemon.log")).unwrap_or_default();
        panic!("the private dockerd does not answer:\n{log}");
    }

    /// Stops the private daemon; its containers end with it, unless it lets them live.
    pub fn stop(&mut self) {
        let Some(daemon) = self.private.as_mut().and_then(|private| private.daemon.take()) else { return };
        terminate(daemon);
    }
}

impl Engine {
    fn remove_what_would_outlive_us(&self) {
        if self.private.as_ref().is_some_and(|private| private.lets_live && private.daemon.is_some()) {
            let listed = self.docker(&["ps", "-aq"]).output();
            let ids =
                listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
            let ids: Vec<&str> = ids.split_whitespace().collect();
            if !ids.is_empty() {
                let _ = self.docker(&[&["rm", "-f", "-v"], &*ids].concat()).output();
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.remove_what_would_outlive_us();
        self.stop();
        if let Some(private) = &self.private {
            let _ = Command::new("ip").args(["link", "del", &private.bridge]).status();
        }
    }
}

fn terminate(mut process: Child) {
    let _ = Command::new("kill").args(["-TERM", &process.id().to_string()]).status();
    for _ in 0..300 {
        if matches!(process.try_wait(), Ok(Some(_))) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = process.kill();
    let _ = process.wait();
}

/// The containers of one journey; removed when dropped.
pub struct Containers<'e> {
    engine: &'e Engine,
    image: String,
    names: std::sync::Mutex<Vec<String>>,
}

impl<'e> Containers<'e> {
    /// None yet; the image is there.
    pub fn on(engine: &'e Engine) -> Self {
        Self { engine, image: image(engine), names: std::sync::Mutex::default() }
    }

    /// Those that another value has forgotten, on the same engine.
    pub fn of(engine: &'e Engine, names: Vec<String>) -> Self {
        Self { engine, image: image(engine), names: std::sync::Mutex::new(names) }
    }

    /// Leaves them running, and gives their names: somebody else has to remove them.
    pub fn forget(&self) -> Vec<String> {
        std::mem::take(&mut self.names.lock().unwrap())
    }

    /// Runs `wharf echo` with nothing but `labels`, its port 80 published on loopback. Gives its name.
    pub fn run(&self, service: &str, labels: &[&str], echo_flags: &[&str]) -> String {
        let name = unique(service);
        self.names.lock().unwrap().push(name.clone());
        let mut args = vec!["run", "-d", "--name", &name, "-p", "127.0.0.1::80", "--stop-timeout", "5"];
        let service_name = format!("SERVICE_NAME={service}");
        args.extend(["--label", &service_name]);
        for label in labels {
            args.extend(["--label", label]);
        }
        args.extend([&*self.image, "/wharf", "echo", "--listen", "0.0.0.0:80", "--name", service]);
        args.extend(echo_flags);
        self.engine.ok(&args);
        name
    }

    /// `docker <verb> <name>`.
    pub fn tell(&self, verb: &[&str], name: &str) {
        self.engine.ok(&[verb, &[name]].concat());
    }
}

impl Drop for Containers<'_> {
    fn drop(&mut self) {
        let names = self.names.lock().unwrap();
        if !names.is_empty() {
            let mut args = vec!["rm", "-f", "-v"];
            args.extend(names.iter().map(String::as_str));
            let _ = self.engine.docker(&args).output();
        }
    }
}

/// Imports the image once for each binary and engine; gives its tag.
fn image(engine: &Engine) -> String {
    let tag = format!("wharf-test:{}", fingerprint(Path::new(BINARY)));
    let known =
        engine.docker(&["image", "inspect", &tag]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !known.is_ok_and(|status| status.success()) {
        remove_images_of_earlier_binaries(engine);
        import(engine, &tag);
    }
    tag
}

/// One image per build would fill the disk. Those in use stay: docker refuses to remove them.
fn remove_images_of_earlier_binaries(engine: &Engine) {
    for tag in engine.ok(&["images", "--format", "{{.Repository}}:{{.Tag}}", "wharf-test"]).lines() {
        let _ = engine.docker(&["rmi", tag]).output();
    }
}

fn fingerprint(binary: &Path) -> String {
    let about = std::fs::metadata(binary).expect("the binary under test");
    let modified = about.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    format!("{}-{}", about.len(), modified.unwrap_or_default().as_millis())
}

/// An image of the binary, and the loader and libraries it names.
fn import(engine: &Engine, tag: &str) {
    static PACKED: OnceLock<PathBuf> = OnceLock::new();
    let archive = PACKED.get_or_init(packed);
    engine.ok(&["import", &archive.display().to_string(), tag]);
}

/// The archive of this binary, which all journeys share: packing it is more work for the disk than all they do with it.
fn packed() -> PathBuf {
    const PREFIX: &str = "wharf-image-";
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let archive = folder.join(format!("{PREFIX}{}.tar", fingerprint(Path::new(BINARY))));
    if !archive.exists() {
        let earlier = std::fs::read_dir(folder).expect("folder").filter_map(|entry| Some(entry.ok()?.path()));
        let is_archive = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(PREFIX) && name.ends_with(".tar")
        };
        for old in earlier.filter(is_archive) {
            let _ = std::fs::remove_file(old);
        }
        // Whole or not there, also for another journey that packs at the same time.
        let beside = tempfile::Builder::new().prefix("packing-").tempdir_in(folder).expect("folder");
        let new = pack(beside.path());
        std::fs::rename(new, &archive).expect("keep the archive");
    }
    archive
}

fn pack(folder: &Path) -> PathBuf {
    let root = folder.join("root");
    std::fs::create_dir_all(root.join("etc")).expect("root");
    copy_with_libraries(Path::new(BINARY), &root, "wharf");
    // What only a debugger reads is more than half of it. Without `strip` it is all packed.
    let _ = Command::new("strip").arg(root.join("wharf")).stderr(Stdio::null()).status();
    let archive = folder.join("image.tar");
    let packed = Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".").status();
    assert!(packed.is_ok_and(|status| status.success()), "tar failed");
    archive
}

/// Copies a program to `name` in a root directory, with the loader and libraries it names.
pub fn copy_with_libraries(program: &Path, root: &Path, name: &str) {
    std::fs::copy(program, root.join(name)).expect("copy the program");
    let listed = Command::new("ldd").arg(program).output().expect("run ldd").stdout;
    for library in String::from_utf8_lossy(&listed).split_whitespace().filter(|word| word.starts_with('/')) {
        let place = root.join(library.trim_start_matches('/'));
        std::fs::create_dir_all(place.parent().expect("folder")).expect("folder");
        std::fs::copy(library, place).expect("copy a library");
    }
}
