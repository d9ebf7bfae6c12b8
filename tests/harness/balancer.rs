//! The real nginx, HAProxy and Varnish, each on ports and in a folder of its own; ended when dropped.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Haproxy,
    Varnish,
}

impl Kind {
    /// The table of its settings, and its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Varnish => "varnish",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::Nginx => "/usr/sbin/nginx",
            Self::Haproxy => "/usr/sbin/haproxy",
            Self::Varnish => "/usr/sbin/varnishd",
        }
    }
}

/// One of them.
pub struct Balancer {
    pub kind: Kind,
    folder: tempfile::TempDir,
    pub listen: SocketAddr,
    admin: SocketAddr,
    child: Option<Child>,
}

impl Balancer {
    /// A folder with what the program needs beside the file that wharf writes.
    pub fn prepare(kind: Kind) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let balancer = Self { kind, listen: free_address(), admin: free_address(), child: None, folder };
        let at = |name: &str| balancer.at(name);
        match kind {
            Kind::Nginx => {
                let folder = balancer.folder.path().display();
                let main = format!(
                    "worker_processes 2;\nworker_shutdown_timeout 60s;\npid {folder}/pid;\nerror_log {folder}/log notice;\n\
                     events {{ worker_connections 1024; }}\nhttp {{ access_log off; include {folder}/wharf.conf; }}\n"
                );
                std::fs::write(at("main.conf"), main).expect("main file");
            }
            Kind::Haproxy => {}
            Kind::Varnish => std::fs::write(at("secret"), "a secret of this test\n").expect("secret"),
        }
        balancer
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The file that wharf writes.
    pub fn file(&self) -> PathBuf {
        self.at(match self.kind {
            Kind::Nginx => "wharf.conf",
            Kind::Haproxy => "wharf.cfg",
            Kind::Varnish => "wharf.vcl",
        })
    }

    /// Keys of its table in wharf's settings.
    pub fn keys(&self) -> String {
        let (folder, file, program) = (self.folder.path().display(), self.file(), self.kind.program());
        let common = format!("config = \"{}\"\nprogram = \"{program}\"\n", file.display());
        let own = match self.kind {
            Kind::Nginx => format!("main = \"{folder}/main.conf\"\nlisten = [\"{}\"]\n", self.listen),
            Kind::Haproxy => format!(
                "socket = \"{folder}/socket\"\npid_file = \"{folder}/pid\"\nlisten = [\"{}\"]\nuser = \"\"\n",
                self.listen
            ),
            Kind::Varnish => format!("admin = \"{}\"\nsecret = \"{folder}/secret\"\n", self.admin),
        };
        common + &own
    }

    fn command(&self) -> Command {
        let (folder, file) = (self.folder.path().display(), self.file().display().to_string());
        let words: Vec<String> = match self.kind {
            Kind::Nginx => {
                vec!["-c".into(), format!("{folder}/main.conf"), "-g".into(), "daemon off;".into()]
            }
            Kind::Haproxy => vec!["-W".into(), "-f".into(), file, "-p".into(), format!("{folder}/pid")],
            Kind::Varnish => [
                "-F",
                "-j",
                "none",
                "-n",
                &format!("{folder}/work"),
                "-f",
                &file,
                "-S",
                &format!("{folder}/secret"),
                "-a",
                &self.listen.to_string(),
                "-T",
                &self.admin.to_string(),
                "-s",
                "malloc,32m",
                "-p",
                "thread_pool_min=20",
            ]
            .map(str::to_owned)
            .to_vec(),
        };
        let mut command = Command::new(self.kind.program());
        command.args(words);
        command
    }

    /// Starts the program on the file that wharf wrote, and waits until it listens.
    pub fn start(&mut self) {
        let log = std::fs::File::create(self.at("output")).expect("log");
        let child = self
            .command()
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("no {:?} ({error}): `cargo xtask test` installs it", self.kind));
        self.child = Some(child);
        for _ in 0..3000 {
            if TcpStream::connect(self.listen).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{:?} does not listen: {}", self.kind, self.said());
    }

    /// URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listen)
    }

    /// What it printed and logged.
    pub fn said(&self) -> String {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        read(&self.at("output")) + &read(&self.at("log"))
    }

    /// Ends it, as a service manager does.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        for _ in 0..500 {
            if matches!(child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?} said:\n{}", self.kind, self.said());
        }
        self.stop();
    }
}

/// A loopback address nobody listens at, for a program that takes it in its settings.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
}
