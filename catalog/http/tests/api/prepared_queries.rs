//! `/v1/query`.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Agent, Answer};

async fn post(agent: &Agent, body: &Value) -> Answer {
    agent.ask("POST", "/v1/query", body.to_string()).await
}

async fn keep(agent: &Agent, body: Value) -> String {
    let answer = post(agent, &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()["ID"].as_str().unwrap().to_owned()
}

async fn fleet(agent: &Agent) {
    for (node, status) in [("a", "passing"), ("b", "critical"), ("c", "passing")] {
        let body = json!({"Node": node, "Address": "10.0.0.1", "Service": {"ID": "w", "Service": "web"},
            "Check": {"CheckID": "c", "Name": "c", "Status": status, "ServiceID": "w"}});
        agent.done("/v1/catalog/register", &body.to_string()).await;
    }
}

#[tokio::test]
async fn a_query_answers_with_what_is_well_near_first_and_no_more_than_asked() {
    let agent = Agent::start().await;
    fleet(&agent).await;
    let id = keep(&agent, json!({"Name": "q", "Service": {"Service": "web"}})).await;
    for asked in [format!("/v1/query/{id}/execute?near=c"), "/v1/query/Q/execute?near=c".to_owned()] {
        let answer = agent.get(&asked).await.json();
        let nodes: Vec<_> =
            answer["Nodes"].as_array().unwrap().iter().map(|it| &it["Node"]["Node"]).collect();
        assert_eq!(nodes, ["c", "a"]);
    }
    let one = agent.get("/v1/query/q/execute?limit=1").await.json();
    assert_eq!(one["Nodes"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_template_is_asked_by_a_name_it_can_be_filled_in_with() {
    let agent = Agent::start().await;
    fleet(&agent).await;
    let template = json!({"Type": "name_prefix_match"});
    let service = json!({"Service": "${name.suffix}"});
    let id = keep(&agent, json!({"Name": "any-", "Template": template, "Service": service})).await;
    let found = agent.get("/v1/query/any-web/execute").await.json();
    assert_eq!(found["Nodes"].as_array().unwrap().len(), 2);
    for asked in ["execute", "explain"] {
        let refused = agent.get(&format!("/v1/query/{id}/{asked}")).await;
        assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(refused.text(), "prepared query templates can only be resolved up by name, not by ID");
    }
}

#[tokio::test]
async fn a_name_belongs_to_one_query_until_that_gives_it_up() {
    let agent = Agent::start().await;
    let query = |name: &str| json!({"Name": name, "Service": {"Service": "web"}});
    let first = keep(&agent, query("q")).await;
    let second = post(&agent, &query("Q")).await;
    assert_eq!(second.text(), "name 'Q' aliases an existing query name");
    agent.done(&format!("/v1/query/{first}"), &query("renamed").to_string()).await;
    let second = keep(&agent, query("q")).await;
    assert_eq!(agent.get("/v1/query/renamed/explain").await.json()["Query"]["ID"], first.as_str());
    assert_eq!(agent.ask("DELETE", &format!("/v1/query/{second}"), "").await.status, StatusCode::OK);
    assert_eq!(agent.get("/v1/query/q/execute").await.status, StatusCode::NOT_FOUND);
    keep(&agent, query("q")).await;
}

#[tokio::test]
async fn of_two_at_once_only_one_gets_the_name() {
    let agent = Agent::start().await;
    let body = json!({"Name": "q", "Service": {"Service": "web"}});
    let (one, other) = tokio::join!(post(&agent, &body), post(&agent, &body));
    let done = [one, other].iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!(done, 1);
}

#[tokio::test]
async fn a_query_goes_with_its_session() {
    let agent = Agent::start().await;
    let session = wharf_catalog::Session::new("11111111-2222-3333-4444-000000000001", "n1");
    let id = session.id.clone();
    agent.catalog.commit(vec![wharf_catalog::Command::PutSession(session)]).await.unwrap();
    keep(&agent, json!({"Name": "q", "Session": &*id, "Service": {"Service": "web"}})).await;
    agent.catalog.commit(vec![wharf_catalog::Command::EndSession(id)]).await.unwrap();
    assert_eq!(agent.get("/v1/query").await.json(), json!([]));
    keep(&agent, json!({"Name": "q", "Service": {"Service": "web"}})).await;
}
