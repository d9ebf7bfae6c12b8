//! `wharf template` before a catalog that an nginx guards: it speaks TLS, and lets in whoever shows a certificate of the
//! house. Flags and variables are consul-template's and Consul's own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::json;

use crate::harness::{
    Wharf, eventually, free_address,
    wharf::{command, run},
};

/// A real nginx that wants certificates, before `wharf`; ended when dropped.
struct Guard {
    nginx: Child,
    folder: tempfile::TempDir,
    address: String,
}

impl Guard {
    async fn before(wharf: &Wharf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_address().port();
        house(folder.path());
        let at = folder.path().display();
        let settings = format!(
            "daemon off;\npid {at}/pid;\nerror_log {at}/log;\nevents {{}}\nhttp {{\n access_log off;\n server {{\n\
             listen 127.0.0.1:{port} ssl;\nssl_certificate {at}/server.pem;\nssl_certificate_key {at}/server.key;\n\
             ssl_client_certificate {at}/authorities/house.pem;\nssl_verify_client on;\nproxy_read_timeout 10m;\n\
             location / {{ proxy_pass http://{}; }}\n }}\n}}\n",
            wharf.http
        );
        fs::write(folder.path().join("nginx.conf"), settings).unwrap();
        let nginx = Command::new("/usr/sbin/nginx")
            .args(["-c", &format!("{at}/nginx.conf")])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("no nginx: `cargo xtask test` installs it");
        let address = format!("localhost:{port}");
        eventually("nginx listens", async || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        Self { nginx, folder, address }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn path(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.nginx.id().to_string()]).status();
        let _ = self.nginx.wait();
    }
}

/// Writes the authority, into a folder of such, and a server and a client that it signed.
fn house(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "the house");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    fs::create_dir(folder.join("authorities")).unwrap();
    fs::write(folder.join("authorities/house.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    for name in ["server", "client"] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        fs::write(folder.join(format!("{name}.pem")), params.signed_by(&key, &issuer).unwrap().pem())
            .unwrap();
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_shows_a_certificate_of_the_house_is_let_in() {
    let wharf = Wharf::without_docker();
    let body = json!({ "Name": "web", "ID": "web-1", "Port": 8081, "Address": "10.0.0.1" });
    assert_eq!(wharf.put("/v1/agent/service/register", &body).await.0, 200);
    let guard = Guard::before(&wharf).await;
    fs::write(guard.at("in"), "{{ range service \"web\" }}{{ .Address }}:{{ .Port }}{{ end }}").unwrap();
    let template = |out: &str| format!("{}:{}", guard.path("in"), guard.path(out));
    let (authorities, pem, key) =
        (guard.path("authorities"), guard.path("client.pem"), guard.path("client.key"));

    let (code, _, stderr) = run(&[
        "template",
        "-consul-addr",
        &guard.address,
        "-consul-ssl",
        "-consul-ssl-ca-path",
        &authorities,
        "-consul-ssl-cert",
        &pem,
        "-consul-ssl-key",
        &key,
        "-template",
        &template("flags"),
        "-once",
    ]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(fs::read_to_string(guard.at("flags")).unwrap(), "10.0.0.1:8081");

    // The same by the variables that Consul's own programs read.
    let said = command(&["template", "--once", "--template", &template("variables")])
        .env("CONSUL_HTTP_ADDR", format!("https://{}", guard.address))
        .env("CONSUL_CACERT", guard.at("authorities/house.pem"))
        .env("CONSUL_CLIENT_CERT", &pem)
        .env("CONSUL_CLIENT_KEY", &key)
        .output()
        .unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(fs::read_to_string(guard.at("variables")).unwrap(), "10.0.0.1:8081");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_none_or_trusts_nobody_is_told_why_and_writes_nothing() {
    let wharf = Wharf::without_docker();
    let guard = Guard::before(&wharf).await;
    fs::write(guard.at("in"), "{{ range services }}{{ .Name }}{{ end }}").unwrap();
    let template = format!("{}:{}", guard.path("in"), guard.path("out"));
    let common = ["template", "--consul-addr", &guard.address, "--consul-ssl", "--template", &template];
    let house = guard.path("authorities/house.pem");
    for (more, why) in [
        (vec!["--consul-ssl-ca-cert", house.as_str()], "400"),
        (vec![], "certificate"),
        (vec!["--consul-ssl-ca-cert", "/nowhere.pem"], "/nowhere.pem"),
    ] {
        let log = fs::File::create(guard.at("said")).unwrap();
        let mut runner = command(&[&common[..], &more].concat()).stderr(log).spawn().unwrap();
        eventually(why, async || fs::read_to_string(guard.at("said")).unwrap().contains(why)).await;
        assert!(!guard.at("out").exists());
        let _ = runner.kill();
        let _ = runner.wait();
    }
}
