//! The echo service tells the catalog about itself, as any program without a container would.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, ensure};
use serde_json::json;

/// A registration that can be taken back.
#[derive(Debug)]
pub(super) struct Registration {
    http: reqwest::Client,
    api: String,
    id: String,
}

/// Registers `name` at `address` with an HTTP check on `/health`.
pub(super) async fn register(api: &str, name: &str, address: SocketAddr) -> anyhow::Result<Registration> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
    let (api, id) = (api.trim_end_matches('/').to_owned(), format!("{name}-{}", address.port()));
    let body = json!({
        "ID": id,
        "Name": name,
        "Address": address.ip().to_string(),
        "Port": address.port(),
        "Check": { "HTTP": format!("http://{address}/health"), "Interval": "5s", "Timeout": "2s" },
    });
    let answer = http
        .put(format!("{api}/v1/agent/service/register"))
        .json(&body)
        .send()
        .await
        .with_context(|| format!("cannot reach `{api}`: is wharf running there?"))?;
    let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
    ensure!(status.is_success(), "`{api}` refused the registration of `{name}`: {status} {text}");
    Ok(Registration { http, api, id })
}

impl Registration {
    /// Deregisters; a catalog that is gone needs no goodbye.
    pub(super) async fn withdraw(self) {
        let url = format!("{}/v1/agent/service/deregister/{}", self.api, self.id);
        let _ = self.http.put(url).send().await;
    }
}
