//! What a registrator needs of the API: what stands on a node, and PUTs.

use std::collections::BTreeMap;

use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use wharf_catalog::Index;

use super::{CheckRecord, Client, ClientError, NodeRecord, PATIENCE, Result, ServiceRecord, Wait, body};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NodeServices {
    node: NodeRecord,
    services: Option<BTreeMap<String, ServiceRecord>>,
}

impl Client {
    /// The services of the agent, by id.
    pub async fn agent_services(&self) -> Result<BTreeMap<String, ServiceRecord>> {
        let url = self.url("/v1/agent/services", None)?;
        body(self.get(url, PATIENCE).await?).await
    }

    /// The checks of the agent, by id.
    pub async fn agent_checks(&self) -> Result<BTreeMap<String, CheckRecord>> {
        let url = self.url("/v1/agent/checks", None)?;
        body(self.get(url, PATIENCE).await?).await
    }

    /// The address and the services of a node; `None` if there is no such node.
    pub async fn node_services(
        &self,
        node: &str,
        wait: Option<Wait>,
    ) -> Result<(Index, Option<(String, Vec<ServiceRecord>)>)> {
        let path = self.path(&["v1", "catalog", "node", node])?;
        let (index, found): (_, Option<NodeServices>) = self.indexed(path.path(), wait).await?;
        let services =
            |services: Option<BTreeMap<_, _>>| services.unwrap_or_default().into_values().collect();
        Ok((index, found.map(|found| (found.node.address, services(found.services)))))
    }

    /// The index of a node and its services, and nothing else: for waiting.
    pub async fn node_index(&self, node: &str, wait: Option<Wait>) -> Result<Index> {
        let mut url = self.path(&["v1", "catalog", "node", node])?;
        // No service has that id: the answer stays short however many there are.
        url.query_pairs_mut().append_pair("filter", "ID == \"-\"");
        let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        let (index, _): (_, serde::de::IgnoredAny) = self.indexed(&path, wait).await?;
        Ok(index)
    }

    /// The checks of a node and of its services.
    pub async fn node_checks(&self, node: &str) -> Result<Vec<CheckRecord>> {
        let url = self.path(&["v1", "health", "node", node])?;
        body(self.get(url, PATIENCE).await?).await
    }

    /// Puts `json` (nothing, if there is none) to the path of these parts.
    pub async fn put(&self, parts: &[String], query: &[(&str, &str)], json: Option<&Value>) -> Result<()> {
        let parts: Vec<_> = parts.iter().map(String::as_str).collect();
        let mut url = self.path(&parts)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.put(url.clone()).timeout(PATIENCE);
        let request = match json {
            Some(json) => request.body(json.to_string()).header("content-type", "application/json"),
            None => request,
        };
        self.answer(url, request).await.map(drop)
    }

    /// The URL of a path of these parts; what stands in them cannot change the path.
    fn path(&self, parts: &[&str]) -> Result<Url> {
        let mut url = self.url("/", None)?;
        url.path_segments_mut()
            .map_err(|()| ClientError::Address {
                url: self.shown.clone(),
                reason: "it cannot have a path".to_owned(),
            })?
            .clear()
            .extend(parts);
        Ok(url)
    }
}
