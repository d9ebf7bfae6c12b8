//! nginx, HAProxy and Varnish follow the fleet: 200 GETs a second while it scales, stops, is killed, paused,
//! flaps, while the Docker daemon and wharf itself are restarted. No GET fails.

use std::{collections::BTreeSet, path::Path, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{
    Containers, Engine, Wharf,
    balancer::{Balancer, Kind},
    eventually,
    load::{Connections, Load},
    unique, until,
};

/// A check of a paused container fails after this long at the latest: the default timeout of checks.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

fn wharf(engine: &Engine, settings: &Path) -> Wharf {
    Wharf::start(&["--docker-host", &engine.host(), "--config", &settings.display().to_string()])
}

/// What wharf says of its balancer.
async fn status(wharf: &Wharf) -> Value {
    wharf.json("/wharf/v1/balancers").await["balancers"][0].clone()
}

/// Ids of the instances of `service` that serve, with those that do not and why.
async fn serving(wharf: &Wharf, service: &str) -> (BTreeSet<String>, Vec<(String, String)>) {
    let status = status(wharf).await;
    let (mut ins, mut outs) = (BTreeSet::new(), Vec::new());
    let services = status["services"].as_array().cloned().unwrap_or_default();
    for endpoint in
        services.iter().filter(|s| s["service"] == service).flat_map(|s| s["endpoints"].as_array().unwrap())
    {
        let text = |key: &str| endpoint[key].as_str().unwrap_or_default().to_owned();
        if endpoint["serves"] == true {
            ins.insert(text("id"));
        } else {
            outs.push((text("id"), text("reason")));
        }
    }
    (ins, outs)
}

/// One fleet before one balancer.
struct Story<'e> {
    engine: &'e Engine,
    containers: &'e Containers<'e>,
    balancer: &'e Balancer,
    client: reqwest::Client,
    service: String,
}

impl Story<'_> {
    async fn answer(&self) -> String {
        let answer = self.client.get(self.balancer.url(&format!("/{}/", self.service))).send().await;
        match answer {
            Ok(answer) => answer.text().await.unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    }

    /// Another instance; waits until the balancer sends requests to it.
    async fn grow(&self) -> String {
        let name = self.containers.run(&self.service, &[], &[]);
        self.served_by(&name).await;
        name
    }

    async fn served_by(&self, container: &str) {
        let host = self.engine.ok(&["inspect", "-f", "{{.Config.Hostname}}", container]);
        until(&format!("{host} answers"), async || self.answer().await, |answer| answer.contains(&host))
            .await;
    }

    /// Waits until the balancer has taken up that it is to use exactly these containers.
    async fn uses(&self, wharf: &Wharf, containers: &[&String]) {
        let ask = async || (status(wharf).await["condition"].clone(), serving(wharf, &self.service).await.0);
        until("the right instances serve", ask, |(condition, ins)| {
            let found = containers.iter().all(|c| ins.iter().any(|id| id.contains(c.as_str())));
            condition == "current" && found && ins.len() == containers.len()
        })
        .await;
    }

    /// Freezes a container; it has to be out before its check would have noticed.
    async fn pause(&self, wharf: &Wharf, container: &String, others: &[&String]) {
        let begun = Instant::now();
        self.containers.tell(&["pause"], container);
        self.uses(wharf, others).await;
        let took = begun.elapsed();
        eprintln!("{:?}: a paused container is out after {took:?}", self.balancer.kind);
        assert!(took < CHECK_TIMEOUT, "a paused container served for {took:?}");
        let (_, outs) = serving(wharf, &self.service).await;
        assert!(outs.iter().any(|(id, why)| id.contains(container) && !why.is_empty()), "{outs:?}");
        self.containers.tell(&["unpause"], container);
        // An answer alone proves nothing yet: what is on its way out of an older configuration may still ask it.
        let all: Vec<&String> = others.iter().copied().chain([container]).collect();
        self.uses(wharf, &all).await;
        self.served_by(container).await;
    }

    /// An instance goes in and out of maintenance, fast.
    async fn flap(&self, wharf: &Wharf, container: &str) {
        let (ins, _) = serving(wharf, &self.service).await;
        let id = ins.into_iter().find(|id| id.contains(container)).expect("it serves");
        for round in 0..10 {
            let path =
                format!("/v1/agent/service/maintenance/{id}?enable={}&reason=flapping", round % 2 == 0);
            let (status, text) = wharf.put(&path, &json!(null)).await;
            assert_eq!(status, 200, "{text}");
            tokio::time::sleep(Duration::from_millis(50)).await; // the rhythm of the flapping
        }
        self.served_by(container).await;
    }
}

async fn loses_no_get(kind: Kind, connections: Connections) {
    let mut engine = Engine::private_that_lets_live();
    let (mut balancer, service) = (Balancer::prepare(kind), unique("balanced"));
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("wharf.toml");
    let table = format!("[proxy.{}]\n{}response_timeout = \"2s\"\n", kind.name(), balancer.keys());
    std::fs::write(&settings, table).unwrap();
    let first_wharf = wharf(&engine, &settings);
    eventually("the file", async || balancer.file().exists()).await;
    balancer.start();
    let client = first_wharf.client.clone();
    let image = Containers::on(&engine);
    let story = Story {
        engine: &engine,
        containers: &image,
        balancer: &balancer,
        client: client.clone(),
        service: service.clone(),
    };

    let first = story.grow().await;
    let load = Load::start(balancer.url(&format!("/{service}/")), 200, connections);
    let (second, third) = (story.grow().await, story.grow().await);
    image.tell(&["stop"], &third);
    story.uses(&first_wharf, &[&first, &second]).await;
    story.pause(&first_wharf, &second, &[&first]).await;
    story.flap(&first_wharf, &second).await;
    image.tell(&["kill"], &second);
    story.uses(&first_wharf, &[&first]).await;
    let told = status(&first_wharf).await;
    let fourth = story.grow().await;

    // wharf forgets everything it knew; the balancer goes on.
    first_wharf.kill_nine();
    let wharf = wharf(&engine, &settings);
    until(
        "everything is known again",
        async || status(&wharf).await,
        |status| status["condition"] == "current",
    )
    .await;
    story.uses(&wharf, &[&first, &fourth]).await;
    let names = image.forget();
    drop(image);

    // The daemon goes and comes back; what runs goes on running.
    engine.stop();
    engine.start();
    let image = Containers::of(&engine, names);
    let story = Story { engine: &engine, containers: &image, balancer: &balancer, client, service };
    let fifth = story.grow().await;
    image.tell(&["stop"], &fifth);
    image.tell(&["stop"], &first);
    story.uses(&wharf, &[&fourth]).await;
    tokio::time::sleep(Duration::from_millis(500)).await; // load goes on over the settled state too
    let answers = load.stop().await;
    assert!(answers.total() > 500, "the load ran: {answers:?}");
    assert_eq!(answers.failed(), 0, "{kind:?}: {answers:?}, {:#}", status(&wharf).await);
    eprintln!(
        "{kind:?}: {} GETs, none failed; before the restart: {} reloads, {} commands",
        answers.total(),
        told["reloads"],
        told["commands"]
    );
    if kind == Kind::Haproxy {
        assert!(told["reloads"].as_u64() <= Some(2), "servers came and went by reloads: {told:#}");
    }
    let metrics = wharf.client.get(wharf.api("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(
        metrics.contains(&format!("wharf_proxy_driver_in_sync{{balancer=\"{}\"}} 1", kind.name())),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn through_nginx() {
    // A reload of nginx closes kept connections, which a client may notice a moment too late.
    loses_no_get(Kind::Nginx, Connections::OneEach).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn through_haproxy() {
    loses_no_get(Kind::Haproxy, Connections::Kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn through_varnish() {
    loses_no_get(Kind::Varnish, Connections::Kept).await;
}
