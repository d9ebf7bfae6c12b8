//! `?filter=`: on which endpoints, over which fields, and what a bad one is answered.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Agent, Answer};

/// Three instances of `web` on nodes of their own, and two of the agent's: each different in something.
async fn fleet() -> Agent {
    let agent = Agent::start().await;
    for body in [
        r#"{"Node":"a","Address":"10.1.1.1","NodeMeta":{"env":"prod"},
            "Service":{"ID":"w1","Service":"web","Tags":["v1"],"Port":80,"Meta":{"team":"red"}},
            "Checks":[{"CheckID":"c1","Name":"up","Status":"passing","ServiceID":"w1","Output":"all ok"}]}"#,
        r#"{"Node":"b","Address":"10.1.1.2","NodeMeta":{"env":"dev"},
            "Service":{"ID":"w2","Service":"web","Tags":["v2"],"Port":8080,"Meta":{"a-b":"blue"}},
            "Checks":[{"CheckID":"c2","Name":"up","Status":"critical","ServiceID":"w2","Output":"bad"}]}"#,
        r#"{"Node":"c","Address":"10.1.1.3",
            "Service":{"ID":"w3","Service":"web","TaggedAddresses":{"wan":{"Address":"5.5.5.5","Port":55}}}}"#,
    ] {
        agent.done("/v1/catalog/register", body).await;
    }
    for body in [
        r#"{"ID":"f1","Name":"ff","Tags":["x"],"Port":1,"Check":{"TTL":"10m","Status":"passing"}}"#,
        r#"{"ID":"f2","Name":"gg","Meta":{"k":"v"}}"#,
    ] {
        agent.done("/v1/agent/service/register", body).await;
    }
    agent
}

async fn filtered(agent: &Agent, path: &str, filter: &str) -> Answer {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let query = query.append_pair("filter", filter).finish();
    let sep = if path.contains('?') { '&' } else { '?' };
    agent.get(&format!("{path}{sep}{query}")).await
}

/// What is left: the keys of an object, or a field of each item of a list.
fn left(answer: &Answer, field: &str) -> Vec<String> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    match answer.json().pointer(field.rsplit_once('@').map_or("", |(at, _)| at)).unwrap() {
        Value::Object(object) => object.keys().cloned().collect(),
        Value::Array(items) => {
            let field = field.rsplit('@').next().unwrap();
            items.iter().map(|item| item.pointer(field).unwrap().as_str().unwrap().to_owned()).collect()
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn every_list_that_consul_filters_is_filtered() {
    let agent = fleet().await;
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("/v1/agent/services", "Service == ff", "", &["f1"]),
        ("/v1/agent/services", "Tags is empty and Meta.k == v", "", &["f2"]),
        ("/v1/agent/services", "Port == 7", "", &[]),
        ("/v1/agent/checks", "CheckID matches `^service:f.$`", "", &["service:f1"]),
        ("/v1/agent/checks", "Status != passing", "", &[]),
        ("/v1/catalog/nodes", "Meta.env == prod or Node == c", "/Node", &["a", "c"]),
        ("/v1/catalog/nodes", "Address contains `10.1.` and env not in Meta", "/Node", &["c"]),
        ("/v1/catalog/service/web", "ServicePort == 80", "/ServiceID", &["w1"]),
        ("/v1/catalog/service/web", "NodeMeta.env == dev", "/ServiceID", &["w2"]),
        ("/v1/catalog/service/web", "ServiceTaggedAddresses.wan.Port == 55", "/ServiceID", &["w3"]),
        ("/v1/catalog/service/web", "ServiceName == web and Datacenter != dc1", "/ServiceID", &[]),
        ("/v1/catalog/node/a", "Port == 80", "/Services@", &["w1"]),
        ("/v1/catalog/node/a", "Port == 81", "/Services@", &[]),
        ("/v1/catalog/node-services/a", "Service == web", "/Services@/ID", &["w1"]),
        ("/v1/catalog/node-services/a", "Service == none", "/Services@/ID", &[]),
        ("/v1/health/service/web", "Node.Meta.env == prod", "/Service/ID", &["w1"]),
        ("/v1/health/service/web", r#"Service.Meta["a-b"] == blue"#, "/Service/ID", &["w2"]),
        ("/v1/health/service/web", "Checks.Status == critical", "/Service/ID", &["w2"]),
        ("/v1/health/service/web", "Checks is empty", "/Service/ID", &["w3"]),
        (
            "/v1/health/service/web",
            "Service.TaggedAddresses.wan.Address == `5.5.5.5`",
            "/Service/ID",
            &["w3"],
        ),
        ("/v1/health/service/web?passing", "Service.Port != 80", "/Service/ID", &["w3"]),
        ("/v1/health/service/web?tag=v1", "Service.Port != 8080", "/Service/ID", &["w1"]),
        (
            "/v1/health/service/web?node-meta=env:dev&near=_agent",
            "Service.Port == 8080",
            "/Service/ID",
            &["w2"],
        ),
        ("/v1/health/checks/web", "Output contains ok", "/CheckID", &["c1"]),
        ("/v1/health/node/b", "Status == critical", "/CheckID", &["c2"]),
        ("/v1/health/node/b", "Status == passing", "/CheckID", &[]),
        ("/v1/health/state/any", "ServiceName == web and Status == warning", "/CheckID", &[]),
        ("/v1/health/state/any", "v1 in ServiceTags", "/CheckID", &["c1"]),
    ];
    for (path, filter, field, wanted) in cases {
        let answer = filtered(&agent, path, filter).await;
        assert_eq!(left(&answer, field), *wanted, "{path} {filter}");
    }
}

#[tokio::test]
async fn lists_of_service_names_take_the_filters_of_later_versions_and_ignore_bad_ones() {
    let agent = fleet().await;
    let names = "/v1/catalog/services";
    assert_eq!(filtered(&agent, names, "ServiceName == web").await.json(), json!({"web":["v1","v2"]}));
    assert_eq!(filtered(&agent, names, "v1 in ServiceTags").await.json(), json!({"web":["v1"]}));
    let all = agent.get(names).await.json();
    for bad in ["Bogus == 1", "ServiceName =="] {
        assert_eq!(filtered(&agent, names, bad).await.json(), all, "{bad}");
    }
}

#[tokio::test]
async fn what_consul_does_not_filter_is_left_alone() {
    let agent = fleet().await;
    agent.done("/v1/kv/a", "1").await;
    for path in ["/v1/kv/a", "/v1/catalog/datacenters", "/v1/agent/members", "/v1/agent/self"] {
        let (plain, asked) = (agent.get(path).await, filtered(&agent, path, "Bogus == 1").await);
        assert_eq!((asked.status, asked.text()), (plain.status, plain.text()), "{path}");
    }
}

#[tokio::test]
async fn a_bad_filter_is_refused_before_anything_is_looked_at() {
    let agent = Agent::start().await;
    let prefix = "Failed to create boolean expression evaluator: ";
    let indexed = [
        "/v1/catalog/nodes",
        "/v1/catalog/service/none",
        "/v1/catalog/node/none",
        "/v1/catalog/node-services/none",
        "/v1/health/service/none",
        "/v1/health/checks/none",
        "/v1/health/node/none",
        "/v1/health/state/any",
    ];
    for path in indexed {
        let answer = filtered(&agent, path, "Bogus == 80").await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert_eq!(answer.text(), format!("{prefix}Selector \"Bogus\" is not valid"), "{path}");
        assert_eq!(answer.header("x-consul-knownleader"), "false", "{path}");
        assert!(answer.index() > 0, "{path}");
        let answer = filtered(&agent, path, "Node.ID in [\"w1\"]").await;
        assert_eq!(answer.text(), format!("{prefix}1:12 (11): rule \"match\": Invalid selector"), "{path}");
    }
    let answer = filtered(&agent, "/v1/agent/services", "Bogus == 80").await;
    assert_eq!(answer.text(), format!("{prefix}Selector \"Bogus\" is not valid"));
    assert_eq!(answer.header("x-consul-index"), "");
}

#[tokio::test]
async fn an_agents_checks_are_asked_for_their_fields_only_when_there_are_any() {
    let agent = Agent::start().await;
    assert_eq!(filtered(&agent, "/v1/agent/checks", "Bogus == 1").await.json(), json!({}));
    let answer = filtered(&agent, "/v1/agent/checks", "Bogus").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    agent.done("/v1/agent/check/register", r#"{"Name":"c","TTL":"10m"}"#).await;
    let answer = filtered(&agent, "/v1/agent/checks", "Bogus == 1").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.text(), "Selector \"Bogus\" is not valid");
}

#[tokio::test]
async fn an_empty_filter_is_none() {
    let agent = fleet().await;
    let plain = agent.get("/v1/health/service/web").await.text();
    assert_eq!(agent.get("/v1/health/service/web?filter=").await.text(), plain);
    assert_eq!(agent.get("/v1/health/service/web?filter").await.text(), plain);
}

#[tokio::test]
async fn a_filter_changes_no_index() {
    let agent = fleet().await;
    let plain = agent.get("/v1/health/service/web").await.index();
    assert_eq!(filtered(&agent, "/v1/health/service/web", "Service.Port == 80").await.index(), plain);
    assert_eq!(filtered(&agent, "/v1/health/service/web", "Service.Port == 1").await.index(), plain);
}
