//! nginx, driven by the template, serves the same routes as the embedded load balancer; a broken template
//! never replaces a good configuration.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::harness::{Wharf, eventually, free_address, unique, until, wharf::Echo};

const NGINX: &str = "/usr/sbin/nginx";

/// A real nginx on the configuration that wharf writes; stopped when dropped.
struct Nginx(Child);

impl Nginx {
    fn start(configuration: &Path) -> Self {
        let nginx = Command::new(NGINX)
            .arg("-c")
            .arg(configuration)
            .args(["-g", "daemon off;"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("no nginx: `cargo xtask test` installs it");
        Self(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

fn settings(folder: &Path, source: &str, port: u16) -> String {
    let (folder, conf) = (folder.display(), folder.join("nginx.conf"));
    let conf = conf.display();
    format!(
        "[[template.templates]]
        source = \"{source}\"
        destination = \"{conf}\"
        check = [\"{NGINX}\", \"-t\", \"-q\", \"-c\", \"{{{{candidate}}}}\"]
        reload = [\"{NGINX}\", \"-s\", \"reload\", \"-c\", \"{{{{destination}}}}\"]
        vars = {{ listen = \"127.0.0.1:{port}\", prefix = \"{folder}\" }}
        "
    )
}

fn wharf_with(folder: &Path, source: &str, port: u16) -> Wharf {
    let path = folder.join("wharf.toml");
    std::fs::write(&path, settings(folder, source, port)).unwrap();
    Wharf::start(&[
        "--docker-host",
        "unix:///nonexistent/docker.sock",
        "--config",
        &path.display().to_string(),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_finds_its_way_through_nginx_as_through_the_embedded_proxy() {
    let (folder, port, service) = (tempfile::tempdir().unwrap(), free_address().port(), unique("routed"));
    let wharf = wharf_with(folder.path(), "nginx", port);
    // A file is kept when everything it lists goes at once; somebody has to stay.
    let _other = Echo::registered(&wharf, &unique("other"), &[]);
    let mut first = Echo::registered(&wharf, &service, &[]);
    let second = Echo::registered(&wharf, &service, &[]);
    until("both pass", async || wharf.passing(&service).await, |passing| *passing == 2).await;
    let conf = folder.path().join("nginx.conf");
    eventually("a configuration that names all", async || {
        std::fs::read_to_string(&conf).is_ok_and(|text| text.matches("server 127.0.0.1:").count() == 3)
    })
    .await;

    let _nginx = Nginx::start(&conf);
    let (nginx, embedded) = (format!("http://127.0.0.1:{port}"), wharf.through(""));
    let get = async |base: &str, path: &str, host: Option<String>| {
        let mut request = wharf.client.get(format!("{base}{path}"));
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let Ok(answer) = request.send().await else { return (0, String::new()) };
        let status = answer.status().as_u16();
        // Which of the two answered is chance; what it was asked is not.
        let text = answer.text().await.unwrap_or_default();
        (status, text.split(" answers ").nth(1).unwrap_or_default().to_owned())
    };
    eventually("nginx answers", async || get(&nginx, &format!("/{service}/"), None).await.0 == 200).await;
    let by_host = Some(format!("{service}.localhost"));
    for (path, host) in [
        (format!("/{service}/a/b?q=1"), None),
        ("/a/b?q=1".to_owned(), by_host),
        ("/nobody/".to_owned(), None),
    ] {
        let (ours, theirs) = (get(&embedded, &path, host.clone()).await, get(&nginx, &path, host).await);
        assert_eq!(ours, theirs, "{path}");
    }

    first.kill_nine();
    drop(second);
    until("none passes", async || wharf.passing(&service).await, |passing| *passing == 0).await;
    eventually("both say so", async || {
        let path = format!("/{service}/");
        get(&nginx, &path, None).await.0 == 503 && get(&embedded, &path, None).await.0 == 503
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_template_never_replaces_a_good_configuration() {
    let (folder, port, service) = (tempfile::tempdir().unwrap(), free_address().port(), unique("steady"));
    let source = folder.path().join("mine.hbs");
    let good = "events {} http { server { listen {{vars.listen}}; return 200 \"{{#each (services)}}{{name}} {{/each}}\"; } } pid {{vars.prefix}}/pid;";
    std::fs::write(&source, good).unwrap();
    let wharf = wharf_with(folder.path(), &source.display().to_string(), port);
    let conf = folder.path().join("nginx.conf");
    eventually("published", async || conf.exists()).await;
    let before = std::fs::read_to_string(&conf).unwrap();

    for broken in ["{{#each (services)}}{{name}}", "events {} http { nonsense; }", "{{nobody.knows}}"] {
        std::fs::write(&source, broken).unwrap();
        let told = wharf.logged("mine.hbs").len() + wharf.logged("nginx.conf").len();
        let _change = Echo::registered(&wharf, &service, &[]);
        eventually("the fault is told", async || {
            wharf.logged("mine.hbs").len() + wharf.logged("nginx.conf").len() > told
        })
        .await;
        assert_eq!(std::fs::read_to_string(&conf).unwrap(), before, "{broken}");
    }
}
