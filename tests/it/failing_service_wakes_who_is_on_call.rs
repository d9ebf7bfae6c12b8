//! A container is killed: dana's phone rings once, she takes the incident by the link in the message, nobody else is woken,
//! and the return of the service resolves it.

use serde_json::Value;

use crate::harness::{Containers, Engine, Wharf, phone::Phone, unique, until, wharf::run};

async fn open(wharf: &Wharf, entity: &str) -> Vec<Value> {
    let found = wharf.json(&format!("/wharf/v1/incidents?state=all&entity={entity}")).await;
    found["incidents"].as_array().cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_phone_rings_once_the_link_takes_it_and_the_return_resolves_it() {
    let (engine, phone) = (Engine::of_this_machine(), Phone::start().await);
    let folder = tempfile::tempdir().unwrap();
    let oncall = phone.configuration(folder.path()).display().to_string();
    let wharf = Wharf::start(&["--docker-host", &engine.host(), "--oncall-file", &oncall]);
    let (containers, service) = (Containers::on(&engine), unique("paged"));
    let entity = format!("service:{service}");

    let name = containers.run(&service, &["SERVICE_RUNBOOK=https://wiki.example/paged"], &[]);
    until("up", async || wharf.passing(&service).await, |passing| *passing == 1).await;
    containers.tell(&["kill"], &name);
    let pages = until("the phone rings", async || phone.about(&entity), |pages| !pages.is_empty()).await;
    let page = &pages[0];
    assert_eq!((page.whose.as_str(), page.occasion()), ("dana", "triggered"));
    let text = page.body["text"].as_str().unwrap();
    assert!(text.contains("wiki.example/paged") && text.contains(&name), "why and what to read: {text}");

    // Whatever looks at links in messages acknowledges nothing; the button does.
    let link = page.body["links"]["acknowledge"].as_str().unwrap().to_owned();
    let shown = wharf.client.get(&link).send().await.unwrap();
    assert_eq!(shown.status(), 200);
    assert!(shown.text().await.unwrap().contains(&service));
    assert_eq!(open(&wharf, &entity).await[0]["state"], "triggered");
    let taken = wharf.client.post(&link).send().await.unwrap();
    assert!(taken.status().is_success(), "{}", taken.status());
    let incident = open(&wharf, &entity).await.remove(0);
    assert_eq!(
        (incident["state"].as_str(), incident["acknowledged"]["by"].as_str()),
        (Some("acknowledged"), Some("dana"))
    );

    containers.run(&service, &[], &[]);
    until("resolved", async || open(&wharf, &entity).await, |found| found[0]["state"] == "resolved").await;
    let pages = phone.about(&entity);
    let triggered: Vec<_> = pages.iter().filter(|page| page.occasion() == "triggered").collect();
    assert_eq!(triggered.len(), 1, "once, and lee not at all: {pages:?}");
    let id = incident["id"].as_u64().unwrap();
    let story = wharf.json(&format!("/wharf/v1/incidents/{id}")).await;
    let told: Vec<_> =
        story["timeline"].as_array().unwrap().iter().map(|line| line["text"].to_string()).collect();
    let told = told.join("\n");
    for part in ["opened as", "paged dana by webhook", "acknowledged by dana", "resolved"] {
        assert!(told.contains(part), "no `{part}` in\n{told}");
    }
    assert!(wharf.logged("s3cret-of-dana").is_empty(), "a secret in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_method_that_fails_makes_way_and_the_command_line_does_the_rest() {
    let phone = Phone::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = phone.configuration(folder.path());
    let second =
        format!("contacts.spare = {{ type = \"webhook\", url = \"http://{}/spare\" }}\n", phone.addr);
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text
        .replace("[users.dana]\n", &format!("[users.dana]\n{second}"))
        .replace(&format!("http://{}/dana", phone.addr), "http://127.0.0.1:1/nobody")
        .replacen(
            "paging = [{ contact = \"phone\" }]",
            "paging = [{ contact = \"phone\" }, { contact = \"spare\", after = \"1h\" }]",
            1,
        );
    std::fs::write(&path, text).unwrap();
    let oncall = path.display().to_string();
    let wharf = Wharf::start(&["--docker-host", "unix:///nonexistent/docker.sock", "--oncall-file", &oncall]);
    let api = wharf.http.to_string();
    let ask = |args: &[&str]| run(&[args, &["--http-addr", &api]].concat());

    let alert = r#"{"message_type":"CRITICAL","entity_id":"disk/db1","state_message":"/var is full"}"#;
    let url = wharf.api("/integrations/generic/20131114/alert/key/default");
    let taken = wharf.client.post(url).body(alert).send().await.unwrap();
    assert_eq!(taken.status(), 200);
    until("the spare rings", async || phone.about("disk/db1").len(), |rung| *rung == 1).await;
    assert_eq!(phone.pages()[0].whose, "spare");
    until(
        "the log says so",
        async || wharf.json("/wharf/v1/oncall/deliveries?user=dana").await,
        |log| {
            let states: Vec<_> =
                log["deliveries"].as_array().unwrap().iter().map(|row| row["state"].as_str()).collect();
            states == [Some("delivered"), Some("failed")]
        },
    )
    .await;

    let (code, table, _) = ask(&["incidents"]);
    assert!(code == 0 && table.contains("#1") && table.contains("/var is full"), "{table}");
    let (code, said, problem) = ask(&["ack", "1", "--by", "dana", "--note", "on it"]);
    assert_eq!((code, &*problem), (0, ""), "{said}");
    assert!(said.contains("acknowledged (dana)"), "{said}");
    let (code, _, problem) = ask(&["ack", "1", "--by", "lee"]);
    assert!(code == 1 && problem.contains("already acknowledged by dana"), "{code} {problem}");
    assert_eq!(ask(&["ack", "99", "--by", "lee"]).0, 4);
    let (code, story, _) = ask(&["incidents", "1"]);
    assert!(code == 0 && story.contains("on it") && story.contains("Timeline"), "{story}");
    let (code, who, _) = ask(&["oncall", "who", "--at", "sunday 03:00"]);
    assert!(code == 0 && who.contains("primary") && who.contains("step 2, no ack after 1m"), "{who}");
    let (code, shifts, _) = ask(&["oncall", "schedule", "primary", "--for", "21d"]);
    assert!(code == 0 && shifts.contains("dana") && shifts.contains("lee"), "{shifts}");
    assert_eq!(ask(&["oncall", "schedule", "nobody's"]).0, 4);
    let (code, said, problem) = ask(&["silence", "entity=*\"disk/*\"", "--for", "1h", "--by", "dana"]);
    assert_eq!((code, &*problem), (0, ""));
    let id = said.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(ask(&["silence"]).1.contains(&id));
    assert_eq!(ask(&["silence", "--end", &id, "--by", "dana"]).0, 0);
    let (code, said, problem) = ask(&["resolve", "1", "--by", "dana"]);
    assert_eq!((code, &*problem), (0, ""), "{said}");
    assert!(ask(&["incidents"]).1.contains("no open incidents"));
    let (code, tested, _) = ask(&["oncall", "test", "lee", "--by", "dana"]);
    assert!(code == 0 && tested.contains("delivered"), "{tested}");
    assert_eq!(ask(&["oncall", "test", "nobody", "--by", "dana"]).0, 4);
    let (code, events, _) = ask(&["events", "-o", "json", "-n", "100"]);
    assert_eq!(code, 0);
    assert!(events.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{events}");
    assert!(events.contains("/var is full"), "{events}");
}

#[test]
fn a_configuration_is_checked_without_a_wharf_and_every_mistake_has_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("oncall.toml");
    std::fs::write(
        &path,
        "[policies.p]\nsteps = [{ targets = [{ user = \"nobody\" }] }]\n\n[users.dana]\npagign = []\n",
    )
    .unwrap();
    let (code, _, problems) = run(&["oncall", "check", &path.display().to_string()]);
    assert_eq!(code, 1);
    assert!(problems.contains("oncall.toml:2") && problems.contains("oncall.toml:5"), "{problems}");
    let settings = folder.path().join("wharf.toml");
    std::fs::write(&settings, "[oncall.users.dana]\nname = \"Dana\"\n").unwrap();
    let (code, said, problems) = run(&["oncall", "check", &settings.display().to_string()]);
    assert_eq!((code, &*problems), (0, ""), "{said}");
}
