//! `wharf template` with the flags, settings and habits of consul-template, over a wharf in another process; and
//! `wharf template explain`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::json;

use crate::harness::{
    Containers, Engine, Wharf, eventually, free_address, until,
    wharf::{command, run},
};

/// A running `wharf template`; killed when dropped.
struct Runner(Child);

impl Runner {
    fn start(arguments: &[&str]) -> Self {
        Self(
            command(&["template"])
                .args(arguments)
                .stderr(Stdio::null())
                .spawn()
                .expect("start wharf template"),
        )
    }

    fn signal(&self, signal: &str) {
        let _ = Command::new("kill").args([signal, &self.0.id().to_string()]).status();
    }

    fn running(&mut self) -> bool {
        self.0.try_wait().expect("wait").is_none()
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Scene {
    wharf: Wharf,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn set() -> Self {
        let scene = Self { wharf: Wharf::without_docker(), folder: tempfile::tempdir().unwrap() };
        scene.put("web", "web-1", 8081).await;
        scene
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.at(name), text).unwrap();
        self.at(name).display().to_string()
    }

    fn address(&self) -> String {
        self.wharf.http.to_string()
    }

    async fn put(&self, service: &str, id: &str, port: u16) {
        let body = json!({"Name": service, "ID": id, "Port": port, "Address": "10.0.0.1", "Tags": ["v1"]});
        assert_eq!(self.wharf.put("/v1/agent/service/register", &body).await.0, 200);
    }

    async fn set_key(&self, key: &str, value: &str) {
        let sent = self.wharf.client.put(self.wharf.api(&format!("/v1/kv/{key}"))).body(value.to_owned());
        assert!(sent.send().await.unwrap().status().is_success());
    }

    async fn shows(&self, file: &Path, text: &str) {
        until(text, async || fs::read_to_string(file).unwrap_or_default(), |now| now == text).await;
    }
}

const CTMPL: &str = "{{ range service \"web\" }}server {{ .Address }}:{{ .Port }};\n{{ end }}";

#[tokio::test(flavor = "multi_thread")]
async fn an_old_command_line_renders_once_and_ends_as_it_did() {
    let scene = Scene::set().await;
    let (input, broken) = (scene.write("in.ctmpl", CTMPL), scene.write("broken.ctmpl", "a\n{{ if }}"));
    let out = scene.at("out").display().to_string();
    let done = format!("{input}:{out}:touch {}", scene.at("ran").display());
    let (code, _, stderr) = run(&[
        "template",
        "-consul-addr",
        &scene.address(),
        "-template",
        &done,
        "-once",
        "-log-level",
        "err",
    ]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(fs::read_to_string(&out).unwrap(), "server 10.0.0.1:8081;\n");
    assert!(scene.at("ran").exists());
    let bad = format!("{broken}:{}", scene.at("none").display());
    let (code, _, stderr) = run(&["template", "-consul-addr", &scene.address(), "-template", &bad, "-once"]);
    assert_eq!(code, 14);
    assert!(stderr.contains(&format!("{broken}:2:")), "no place: {stderr}");
    assert!(!scene.at("none").exists());
    let dry = format!("{input}:{}", scene.at("dry").display());
    let (code, stdout, _) =
        run(&["template", "--consul-addr", &scene.address(), "--template", &dry, "--once", "--dry"]);
    assert_eq!(code, 0);
    assert_eq!(stdout, format!("> {}\nserver 10.0.0.1:8081;\n", scene.at("dry").display()));
    assert!(!scene.at("dry").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_key_is_waited_for_and_an_interrupt_ends_the_wait() {
    let scene = Scene::set().await;
    let template = format!("{}:{}", scene.write("in.ctmpl", "{{ key \"a/b\" }}"), scene.at("out").display());
    let arguments = ["-consul-addr", &scene.address(), "-template", &template, "-once"];
    let (mut waiting, mut interrupted) = (Runner::start(&arguments), Runner::start(&arguments));
    // Both have asked by now that the key is waited for: only then it is set.
    eventually("somebody asks for the key", async || {
        let metrics = scene.wharf.client.get(scene.wharf.api("/metrics")).send().await.unwrap();
        metrics.text().await.unwrap().contains("/v1/kv")
    })
    .await;
    assert!(waiting.running() && interrupted.running() && !scene.at("out").exists());
    interrupted.signal("-INT");
    eventually("the interrupted one ends", async || !interrupted.running()).await;
    scene.set_key("a/b", "hello").await;
    scene.shows(&scene.at("out"), "hello").await;
    assert!(waiting.0.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn old_settings_are_followed_read_again_on_hup_and_explained() {
    let scene = Scene::set().await;
    let input = scene.write("in.ctmpl", CTMPL);
    let (out, status) = (scene.at("out"), free_address().to_string());
    let settings = |extra: &str| {
        format!(
            "consul {{ address = \"{}\" }}\nwait {{ min = \"5ms\" max = \"50ms\" }}\n{extra}\n\
             template {{\n  source = \"{input}\"\n  destination = \"{}\"\n  command = \"false\"\n}}\n",
            scene.address(),
            out.display()
        )
    };
    let config = scene.write("old.hcl", &settings(""));
    let mut runner = Runner::start(&["-config", &config, "-status-addr", &status]);
    scene.shows(&out, "server 10.0.0.1:8081;\n").await;
    // Its command fails, and it goes on.
    scene.put("web", "web-2", 8082).await;
    let explain = |output: &str| {
        run(&["template", "explain", "--addr", &status, "--output", output, out.to_str().unwrap()])
    };
    let explained = until("an explanation", async || explain("table").1, |text| text.contains("web-2")).await;
    assert!(explained.contains("failing") && explained.contains("web|passing"), "{explained}");
    assert!(explained.lines().any(|line| line.starts_with("in") && line.contains("web-1")), "{explained}");
    let maintenance = "/v1/agent/service/maintenance/web-1?enable=true&reason=disk";
    assert_eq!(scene.wharf.put(maintenance, &json!({})).await.0, 200);
    let why =
        until("the reason", async || explain("table").1, |text| text.contains("maintenance: disk")).await;
    assert!(why.lines().any(|line| line.starts_with("out") && line.contains("web-1")), "{why}");
    assert!(runner.running());
    // Bad settings are not taken over, good ones are.
    scene.write("old.hcl", "vault { address = \"x\" }");
    runner.signal("-HUP");
    let second = scene.at("second");
    let more = format!(
        "template {{\n contents = \"{{{{ key \\\"k\\\" }}}}\"\n destination = \"{}\"\n}}",
        second.display()
    );
    scene.set_key("k", "v").await;
    scene.write("old.hcl", &settings(&more));
    runner.signal("-HUP");
    scene.shows(&second, "v").await;
    runner.signal("-TERM");
    eventually("it ends", async || !runner.running()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_old_settings_ask_for_in_vain_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("old.hcl");
    fs::write(&file, "consul { address = \"127.0.0.1:1\" }\n\nvault {\n  address = \"https://v\"\n}\n")
        .unwrap();
    let (code, _, stderr) = run(&["template", "-config", file.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(stderr.contains(&format!("{}:3:1: `vault` is not supported", file.display())), "{stderr}");
    let (code, _, stderr) = run(&["template", "-once"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("there is no template"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_gets_the_signal_by_its_name() {
    let scene = Scene::set().await;
    let engine = Engine::of_this_machine();
    let containers = Containers::on(&engine);
    let name = containers.run("signalled", &["SERVICE_IGNORE=true"], &[]);
    let running = || engine.ok(&["inspect", "-f", "{{.State.Running}}", &name]).trim() == "true";
    let settings = format!(
        "[catalog]\naddress = \"{}\"\n[[templates]]\nsource = {{ text = '{{{{key \"a\"}}}}' }}\n\
         destination = \"{}\"\nreload = {{ signal = \"TERM\", container = \"{name}\" }}\n",
        scene.address(),
        scene.at("out").display()
    );
    let config = scene.write("wharf.toml", &settings);
    let _runner = Runner::start(&["--config", &config]);
    assert!(running());
    scene.set_key("a", "new").await;
    eventually("the container has ended", async || !running()).await;
    scene.shows(&scene.at("out"), "new").await;
}
