//! A real Docker engine: the machine's own, or a private one that may be restarted.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::unique;

pub const IMAGE: &str = "wharf-registrator-test:1";
const REMEDY: &str = "these tests need a Docker engine, its `docker` command and busybox-static: \
    `cargo xtask test` installs and starts them (or: apt-get install docker.io busybox-static, start dockerd)";

/// Ports that may be taken by another engine's containers, one after the other.
const PORTS_TRIED: usize = 50;

/// An engine by its address.
pub struct Engine {
    pub host: String,
}

/// A container, removed when dropped.
pub struct Container {
    host: String,
    pub name: String,
}

impl Engine {
    /// The machine's own engine, with the test image in it.
    pub fn of_this_machine() -> Self {
        let host = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
        let engine = Self { host };
        engine.import_image();
        engine
    }

    /// Runs `docker` with these arguments; its output.
    pub fn try_docker(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new("docker")
            .args(["-H", &self.host])
            .args(arguments)
            .output()
            .map_err(|error| format!("cannot run `docker`: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// As [`Self::try_docker`], of what has to work.
    ///
    /// Engines of one machine give out published ports from the same range without knowing of each other: one that finds
    /// a port taken fails, and goes on to the next port when it is asked again.
    pub fn docker(&self, arguments: &[&str]) -> String {
        for _ in 0..PORTS_TRIED {
            let error = match self.try_docker(arguments) {
                Ok(said) => return said,
                Err(error) => error,
            };
            let host = &self.host;
            assert!(
                error.contains("address already in use"),
                "docker {arguments:?} at `{host}`: {error}\n{REMEDY}"
            );
            let named = arguments.iter().position(|argument| *argument == "--name");
            if let (Some(&"run"), Some(at)) = (arguments.first(), named) {
                let _ = self.try_docker(&["rm", "-f", arguments[at + 1]]);
            }
        }
        panic!("docker {arguments:?}: {PORTS_TRIED} ports in a row are taken")
    }

    /// No registry can be reached from everywhere: the image is made of this machine's static busybox.
    fn import_image(&self) {
        let lock = File::create(std::env::temp_dir().join("wharf-registrator-test.lock")).unwrap();
        lock.lock().unwrap();
        if !self.docker(&["images", "-q", IMAGE]).is_empty() {
            return;
        }
        assert!(Path::new("/bin/busybox").exists(), "no /bin/busybox\n{REMEDY}");
        let made = Command::new("sh")
            .args([
                "-ec",
                "d=$(mktemp -d); mkdir $d/bin; cp /bin/busybox $d/bin/; ln -s busybox $d/bin/sh
                tar -C $d -c bin | docker -H \"$0\" import - \"$1\"; rm -r $d",
            ])
            .args([&self.host, IMAGE])
            .stdout(Stdio::null())
            .status();
        assert!(made.is_ok_and(|status| status.success()), "cannot import the test image\n{REMEDY}");
    }

    /// Runs `script` in a container with these further arguments of `docker run`.
    pub fn run(&self, word: &str, arguments: &[&str], script: &str) -> Container {
        self.run_image(IMAGE, word, arguments, script)
    }

    /// As [`Self::run`], from another image than the ordinary one.
    pub fn run_image(&self, image: &str, word: &str, arguments: &[&str], script: &str) -> Container {
        let name = unique(word);
        let head = ["run", "-d", "--name", &name, "--label", "wharf-registrator-test"];
        let container = Container { host: self.host.clone(), name: name.clone() };
        self.docker(&[&head, arguments, &[image, "/bin/sh", "-c", script]].concat());
        container
    }

    /// A container that ends when asked to, for service `word`; 8080/tcp is published.
    pub fn service(&self, service: &str) -> Container {
        let label = format!("SERVICE_NAME={service}");
        self.run("svc", &["--label", &label, "--expose", "8080", "-p", "8080"], ENDS_WHEN_ASKED)
    }
}

/// Ends at once when asked to.
pub const ENDS_WHEN_ASKED: &str = "trap 'exit 0' TERM; while :; do busybox sleep 0.05; done";
/// Goes on for a second after it is asked to end.
pub const LINGERS: &str = "trap 'busybox sleep 1; exit 0' TERM; while :; do busybox sleep 0.05; done";
/// Does not care.
pub const IGNORES_TERM: &str = "trap '' TERM; while :; do busybox sleep 0.05; done";

impl Container {
    pub fn engine(&self) -> Engine {
        Engine { host: self.host.clone() }
    }

    /// `docker <verb> <arguments> <this container>`.
    pub fn docker(&self, verb: &[&str]) -> String {
        self.engine().docker(&[verb, &[&self.name]].concat())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.engine().try_docker(&["rm", "-f", &self.name]);
    }
}

/// An engine of our own, in a network of its own; stopped, with all its containers, when dropped.
pub struct Private {
    pub engine: Engine,
    place: PathBuf,
    namespaces: [String; 2],
    daemon: Option<Child>,
}

impl Private {
    /// Not running yet.
    pub fn new() -> Self {
        // The socket's path has to stay short.
        let place = PathBuf::from("/tmp").join(unique("d"));
        std::fs::create_dir(&place).unwrap();
        let host = format!("unix://{}/s", place.display());
        Self { engine: Engine { host }, place, namespaces: [unique("ns"), unique("pns")], daemon: None }
    }

    pub async fn start(&mut self) {
        let path = |name: &str| self.place.join(name).display().to_string();
        let log = File::options().create(true).append(true).open(path("log")).unwrap();
        // A network namespace of its own: engines of one host fight over `docker0` (with `--bridge=none`
        // one even removes it). A mount namespace of its own: its mounts go when it goes.
        let daemon = Command::new("unshare")
            .args(["--net", "--mount", "sh", "-c", "ip link set lo up; exec dockerd \"$@\"", "dockerd"])
            .args(["-H", &self.engine.host, "--shutdown-timeout", "5"])
            .args(["--data-root", &path("data"), "--exec-root", &path("exec"), "--pidfile", &path("pid")])
            .args([
                "--containerd-namespace",
                &self.namespaces[0],
                "--containerd-plugins-namespace",
                &self.namespaces[1],
            ])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run `dockerd`: {error}\n{REMEDY}"));
        self.daemon = Some(daemon);
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.engine.try_docker(&["version"]).is_err() {
            let log = || std::fs::read_to_string(path("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "a private dockerd does not answer:\n{}\n{REMEDY}", log());
            sleep(Duration::from_millis(50)).await;
        }
        self.engine.import_image();
    }

    /// As a service manager does it: `SIGTERM`, then wait.
    pub fn stop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = Command::new("kill").arg(daemon.id().to_string()).status();
            let _ = daemon.wait();
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.stop();
        let netns = self.place.join("exec/netns/default");
        let _ = Command::new("umount").arg("-q").arg(netns).stderr(Stdio::null()).status();
        let _ = std::fs::remove_dir_all(&self.place);
    }
}
