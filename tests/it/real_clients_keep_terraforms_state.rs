//! Terraform with its Consul backend: state in the key-value store, one apply at a time.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use crate::harness::{
    Wharf,
    clients::{Background, program, run},
    until,
};

/// A working copy of a configuration whose state is in the key-value store.
struct Terraform {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Terraform {
    fn new(program: &Path, wharf: &Wharf) -> Self {
        let terraform = Self { program: program.to_owned(), folder: tempfile::tempdir().unwrap() };
        // The resource is there once the file is: so long the lock is held. It gives up by itself.
        let main = format!(
            r#"terraform {{
  backend "consul" {{
    address = "{}"
    scheme  = "http"
    path    = "states/fleet"
  }}
}}
variable "v" {{}}
variable "gate" {{ default = "/" }}
resource "terraform_data" "x" {{
  triggers_replace = var.v
  provisioner "local-exec" {{
    command = "for i in $(seq 1 1200); do [ -e '${{var.gate}}' ] && exit 0; sleep 0.05; done; exit 1"
  }}
}}
output "v" {{ value = var.v }}
"#,
            wharf.http
        );
        fs::write(terraform.at("main.tf"), main).unwrap();
        fs::write(terraform.at("rc"), "").unwrap();
        terraform.ok(&["init"]);
        terraform
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(self.folder.path())
            .envs([("TF_IN_AUTOMATION", "1"), ("TF_INPUT", "0"), ("CHECKPOINT_DISABLE", "1")])
            .env("TF_CLI_CONFIG_FILE", self.at("rc"))
            .env("TF_CLI_ARGS", "-no-color")
            .env_remove("CONSUL_HTTP_ADDR")
            .env_remove("CONSUL_HTTP_TOKEN")
            .args(arguments);
        command
    }

    fn ok(&self, arguments: &[&str]) -> String {
        run(&mut self.command(arguments)).unwrap_or_else(|said| panic!("{arguments:?}: {said}"))
    }

    /// Starts an apply that holds the lock until `gate` exists.
    fn hold(&self, v: &str, gate: &Path) -> Background {
        let (v, gate) = (format!("-var=v={v}"), format!("-var=gate={}", gate.display()));
        let mut apply = self.command(&["apply", "-auto-approve", &v, &gate]);
        Background::start(&mut apply, &self.at("held"))
    }

    /// Applies while another holds the lock; gives the id of that lock.
    fn refused(&self) -> String {
        let said = run(&mut self.command(&["apply", "-auto-approve", "-var=v=refused"])).unwrap_err();
        assert!(said.contains("Error acquiring the state lock"), "{said}");
        let id = said.lines().find_map(|line| line.split_once("ID:")).expect("the lock's id").1.trim();
        assert_eq!(id.len(), 36, "{said}");
        id.to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn terraform_keeps_its_state_and_its_lock_here() {
    let Some(program) = program("terraform") else { return };
    let wharf = Wharf::without_docker();
    let (one, two) = (Terraform::new(&program, &wharf), Terraform::new(&program, &wharf));
    // The lock comes first, then the words about its holder that others are told.
    let held = async |what: &str| {
        for (key, part) in [(".lock", "\"Session\""), (".lockinfo", "\"Value\"")] {
            let url = wharf.api(&format!("/v1/kv/states/fleet/{key}"));
            let ask = async || wharf.client.get(&url).send().await.unwrap().text().await.unwrap();
            until(what, ask, |entry| entry.contains(part)).await;
        }
    };
    one.ok(&["apply", "-auto-approve", "-var=v=first"]);
    assert_eq!(two.ok(&["output", "-raw", "v"]), "first");
    let state = wharf.json("/v1/kv/states/fleet?raw").await;
    assert_eq!((&state["version"], &state["outputs"]["v"]["value"]), (&json!(4), &json!("first")));

    let gate = one.at("gate");
    let mut holder = one.hold("second", &gate);
    held("the first apply holds the lock").await;
    two.refused();
    fs::write(&gate, "").unwrap();
    holder.succeeds(&one.at("held")).await;
    assert_eq!(two.ok(&["output", "-raw", "v"]), "second");

    // A holder that dies leaves its lock until its session's TTL; who cannot wait takes it away by force.
    let mut holder = one.hold("never", &one.at("no gate"));
    held("the next apply holds the lock").await;
    holder.kill_nine();
    let id = two.refused();
    assert!(run(&mut two.command(&["force-unlock", "-force", "not-the-id"])).is_err());
    two.ok(&["force-unlock", "-force", &id]);
    // That ends the dead one's session, whose lock-delay (Terraform asks for 5 s) nobody can take away: until it is
    // over Terraform is refused, and does not wait by itself because nothing says any more who held the lock.
    let apply = async || run(&mut two.command(&["apply", "-auto-approve", "-var=v=third"])).err();
    until("the lock's delay is over", apply, Option::is_none).await;
    assert_eq!(one.ok(&["output", "-raw", "v"]), "third");
}
