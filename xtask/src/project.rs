//! Where things are: the workspace, cargo's target folder, and our own corner of it for logs and images.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

/// The workspace this command belongs to.
pub(crate) struct Project {
    root: PathBuf,
    state: PathBuf,
}

impl Project {
    /// Asks cargo, so that `CARGO_TARGET_DIR` and its configuration are honoured.
    pub(crate) fn locate() -> anyhow::Result<Self> {
        let output = Command::new(cargo())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run `cargo metadata`")?;
        let metadata: Value = serde_json::from_slice(&output.stdout).context("`cargo metadata` failed")?;
        let path = |key: &str| {
            metadata[key]
                .as_str()
                .map(PathBuf::from)
                .with_context(|| format!("no `{key}` in `cargo metadata`"))
        };
        let state = path("target_directory")?.join("xtask");
        std::fs::create_dir_all(&state).with_context(|| format!("cannot create `{}`", state.display()))?;
        Ok(Self { root: path("workspace_root")?, state })
    }

    /// The workspace's folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A file or folder of ours under the target folder.
    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }

    /// A cargo command in the workspace.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(cargo());
        command.args(arguments).current_dir(&self.root);
        command
    }

    /// Builds wharf and returns the path of the binary. Features are unified over the whole workspace, so that
    /// the tests' build finds the same dependencies already compiled.
    pub(crate) fn build_wharf(&self, release: bool) -> anyhow::Result<PathBuf> {
        let mut build = self.cargo(&["build", "--workspace", "--bin", "wharf"]);
        build.arg("--message-format=json-render-diagnostics");
        if release {
            build.arg("--release");
        }
        let output = build.stderr(Stdio::inherit()).output().context("cannot run `cargo build`")?;
        if !output.status.success() {
            bail!("wharf does not build: see above");
        }
        executable(&String::from_utf8_lossy(&output.stdout)).context("`cargo build` named no `wharf` binary")
    }
}

/// The cargo that runs us.
fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The path of the `wharf` binary in cargo's messages.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "wharf")
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_found_among_cargos_messages() {
        let messages = concat!(
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"serde\"},\"executable\":null}\n",
            "not json\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"wharf\"},\"executable\":\"/t/debug/wharf\"}\n",
            "{\"reason\":\"build-finished\",\"success\":true}\n",
        );
        assert_eq!(executable(messages), Some(PathBuf::from("/t/debug/wharf")));
        assert_eq!(executable(""), None);
    }
}
