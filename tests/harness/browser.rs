//! A real Chromium, driven through chromedriver's WebDriver interface (W3C WebDriver, section 8).

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use super::{eventually, until};

/// Name of an element's reference (W3C WebDriver, section 12).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// `Enter` and `Control` (W3C WebDriver, section 17.4.2).
pub const ENTER: &str = "\u{e007}";
pub const CONTROL: char = '\u{e009}';

const CLICKABLE: &str = "const one = document.querySelector(arguments[0]); return Boolean(one && !one.disabled && one.offsetParent)";
const TEXT: &str =
    "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText).join('\\n')";
const CHOOSE: &str = "const list = document.querySelector(arguments[0]);
    if (!list || ![...list.options].some((one) => one.value === arguments[1])) return false;
    list.value = arguments[1];
    list.dispatchEvent(new Event('change', { bubbles: true }));
    return true";

/// One browser window; closed when dropped.
pub struct Browser {
    driver: Child,
    session: String,
    client: reqwest::Client,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Opens a window of this width. Panics with the remedy when there is no Chromium.
    pub async fn open(width: u32) -> Self {
        let remedy = "no chromedriver: `cargo xtask test` installs chromium and chromium-driver";
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--log-level=SEVERE"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect(remedy);
        let port = listening_port(&mut driver);
        let profile = tempfile::tempdir().expect("profile");
        let client = reqwest::Client::new();
        let capabilities = capabilities(profile.path().display().to_string(), width);
        let created =
            client.post(format!("http://127.0.0.1:{port}/session")).body(capabilities.to_string()).send();
        let created: Value = created.await.expect("chromedriver").json().await.expect("session");
        let id = created["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {created}"));
        let session = format!("http://127.0.0.1:{port}/session/{id}");
        Self { driver, session, client, _profile: profile }
    }

    /// Goes to a URL and waits for it to load.
    pub async fn go(&self, url: &str) {
        self.command("url", json!({ "url": url })).await;
    }

    /// Runs a function body in the page; gives what it returns.
    pub async fn script(&self, body: &str, arguments: &[&str]) -> Value {
        self.command("execute/sync", json!({ "script": body, "args": arguments })).await
    }

    /// Waits until an element fits `css` and clicks it, as a person would: it has to be in view and on top.
    pub async fn click(&self, css: &str) {
        let found = async || self.script(CLICKABLE, &[css]).await == Value::Bool(true);
        eventually(&format!("`{css}` can be clicked"), found).await;
        let element =
            self.command("element", json!({ "using": "css selector", "value": css })).await[ELEMENT].clone();
        let id = element.as_str().unwrap_or_else(|| panic!("no `{css}`"));
        self.command(&format!("element/{id}/click"), json!({})).await;
    }

    /// Presses keys one after the other, with `held` down if there is one.
    pub async fn press(&self, keys: &str, held: Option<char>) {
        let key = |kind: &str, key: char| json!({ "type": kind, "value": key.to_string() });
        let mut actions: Vec<_> = held.map(|held| key("keyDown", held)).into_iter().collect();
        actions.extend(keys.chars().flat_map(|one| [key("keyDown", one), key("keyUp", one)]));
        actions.extend(held.map(|held| key("keyUp", held)));
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.command("actions", json!({ "actions": [keyboard] })).await;
    }

    /// Waits until the page's text, as far as it fits `css`, contains `words`.
    pub async fn reads(&self, css: &str, words: &str) {
        let text = async || self.script(TEXT, &[css]).await.as_str().unwrap_or_default().to_owned();
        until(&format!("`{css}` reads `{words}`"), text, |text| text.contains(words)).await;
    }

    /// Chooses `value` in the list `css`.
    pub async fn choose(&self, css: &str, value: &str) {
        let set = async || self.script(CHOOSE, &[css, value]).await == Value::Bool(true);
        eventually(&format!("`{css}` offers `{value}`"), set).await;
    }

    /// `DELETE /session/{id}`, answered once the browser has ended. Blocking: it is for [`Drop`].
    fn end_session(&self) -> std::io::Result<()> {
        let (address, id) = self.session.trim_start_matches("http://").split_once('/').unwrap_or_default();
        let mut driver = TcpStream::connect(address)?;
        driver.set_read_timeout(Some(Duration::from_secs(20)))?;
        write!(driver, "DELETE /{id} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n")?;
        driver.read(&mut [0; 64]).map(drop)
    }

    async fn command(&self, path: &str, body: Value) -> Value {
        let answer = self.client.post(format!("{}/{path}", self.session)).body(body.to_string()).send();
        let mut answer: Value = answer.await.expect("chromedriver").json().await.expect("JSON");
        assert!(answer["value"]["error"].is_null(), "{path} {body}: {answer}");
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session; with its driver alone it would stay behind.
        let _ = self.end_session();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn capabilities(profile: String, width: u32) -> Value {
    let args = [
        "--headless".to_owned(),
        "--no-sandbox".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-quic".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        format!("--window-size={width},900"),
        format!("--user-data-dir={profile}"),
    ];
    json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": { "args": args } } } })
}

fn listening_port(driver: &mut Child) -> u16 {
    let mut lines = BufReader::new(driver.stdout.take().expect("stdout")).lines().map_while(Result::ok);
    let line = lines
        .find(|line| line.contains("successfully on port "))
        .expect("chromedriver says where it listens");
    let port = line.rsplit("on port ").next().unwrap_or_default().trim_end_matches('.');
    // Whatever else it prints must find a reader.
    std::thread::spawn(move || lines.for_each(drop));
    port.parse().unwrap_or_else(|_| panic!("no port in `{line}`"))
}
