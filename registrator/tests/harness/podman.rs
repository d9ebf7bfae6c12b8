//! Podman with a store and a service of its own, where it is installed.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::unique;

const SETTINGS: &str = "[network]\nnetwork_backend=\"netavark\"\n[engine]\ncgroup_manager=\"cgroupfs\"\nevents_logger=\"file\"\n";

/// It; stopped, with its containers, when dropped.
pub struct Podman {
    place: PathBuf,
    service: Child,
}

impl Podman {
    /// `None`, with the reason, where there is no Podman that can run containers.
    pub async fn start() -> Result<Self, String> {
        let place = PathBuf::from("/tmp").join(unique("p"));
        std::fs::create_dir(&place).unwrap();
        let at = |name: &str| place.join(name);
        let storage = format!(
            "[storage]\ndriver=\"vfs\"\nrunroot=\"{}\"\ngraphroot=\"{}\"\n",
            at("run").display(),
            at("root").display()
        );
        std::fs::write(at("containers.conf"), SETTINGS).unwrap();
        std::fs::write(at("storage.conf"), storage).unwrap();
        let host = format!("unix://{}", at("s").display());
        let service = command(&place)
            .args(["system", "service", "--time=0", &host])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot run `podman`: {error}"))?;
        let podman = Self { place, service };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !podman.place.join("s").exists() {
            if Instant::now() > deadline {
                return Err("`podman system service` does not listen".to_owned());
            }
            sleep(Duration::from_millis(20)).await;
        }
        podman.import()?;
        Ok(podman)
    }

    pub fn host(&self) -> String {
        format!("unix://{}/s", self.place.display())
    }

    fn import(&self) -> Result<(), String> {
        let root = self.place.join("image");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::copy("/bin/busybox", root.join("bin/busybox"))
            .map_err(|error| format!("/bin/busybox: {error}"))?;
        std::os::unix::fs::symlink("busybox", root.join("bin/sh")).unwrap();
        let archive = self.place.join("image.tar").display().to_string();
        let packed = Command::new("tar").arg("-C").arg(&root).args(["-cf", &archive, "bin"]).status();
        assert!(packed.is_ok_and(|status| status.success()));
        self.try_podman(&["import", "-q", &archive, "wharf-registrator-test:1"]).map(drop)
    }

    pub fn podman(&self, arguments: &[&str]) -> String {
        self.try_podman(arguments).unwrap_or_else(|error| panic!("podman {arguments:?}: {error}"))
    }

    pub fn try_podman(&self, arguments: &[&str]) -> Result<String, String> {
        // runc, which Docker brings along, runs on more kernels than crun.
        let output = command(&self.place).args(["--runtime", "/usr/sbin/runc"]).args(arguments).output();
        let output = output.map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

fn command(place: &std::path::Path) -> Command {
    let mut command = Command::new("podman");
    command
        .env("CONTAINERS_CONF", place.join("containers.conf"))
        .env("CONTAINERS_STORAGE_CONF", place.join("storage.conf"))
        .stdin(Stdio::null());
    command
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.try_podman(&["rm", "-fa", "-t", "0"]);
        let _ = Command::new("kill").arg(self.service.id().to_string()).status();
        let _ = self.service.wait();
        let _ = std::fs::remove_dir_all(&self.place);
    }
}
