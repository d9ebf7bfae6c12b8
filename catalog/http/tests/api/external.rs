use serde_json::json;
use wharf_catalog::Status;

use crate::support::Agent;

async fn ask(agent: &Agent, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
    let answer = agent.ask(method, path, body.to_owned()).await;
    (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or_default())
}

#[tokio::test]
async fn a_push_service_gets_an_address_and_reports_there() {
    let agent = Agent::start().await;
    let definition = r#"{"service":"backup","tags":["cron"],"push":{"every":"1h","grace":"5m"}}"#;
    let (status, answer) = ask(&agent, "PUT", "/wharf/v1/external", definition).await;
    assert_eq!((status, &answer["group"]), (200, &json!("external")), "{answer}");
    let address = answer["push"].as_str().unwrap().to_owned();
    let said = || agent.catalog.snapshot().check("external", "service:backup").unwrap().clone();
    assert_eq!(said().status, Status::Passing, "it has an hour and five minutes to report");

    assert_eq!(
        ask(&agent, "GET", &format!("{address}?msg=all+copied&ping=12.5"), "").await,
        (200, json!({"ok": true}))
    );
    assert_eq!((said().status, said().output.as_str()), (Status::Passing, "all copied"));
    assert_eq!(ask(&agent, "POST", &format!("{address}?status=down&msg=disk+full"), "").await.0, 200);
    assert_eq!((said().status, said().output.as_str()), (Status::Critical, "disk full"));
    assert_eq!(ask(&agent, "GET", &format!("{address}?status=sideways"), "").await.0, 400);
    assert_eq!(ask(&agent, "GET", "/api/push/0000000000000000000000", "").await.0, 404);
    assert_eq!(ask(&agent, "DELETE", &address, "").await.0, 405);

    let (_, list) = ask(&agent, "GET", "/wharf/v1/external", "").await;
    let token = address.rsplit('/').next().unwrap();
    assert_eq!((&list["external"][0]["kind"], list.to_string().contains(token)), (&json!("push"), false));
}

#[tokio::test]
async fn what_was_registered_goes_and_nothing_else_does() {
    let agent = Agent::start().await;
    let definition = r#"{"service":"pay","group":"partners","http":"https://u:p@pay.example.org/"}"#;
    assert_eq!(ask(&agent, "PUT", "/wharf/v1/external", definition).await.0, 200);
    let (_, list) = ask(&agent, "GET", "/wharf/v1/external", "").await;
    assert_eq!(list["external"][0]["target"], "https://pay.example.org/");
    assert_eq!(ask(&agent, "DELETE", "/wharf/v1/external/n1/consul", "").await.0, 404);
    assert_eq!(ask(&agent, "DELETE", "/wharf/v1/external/partners/pay", "").await.0, 204);
    assert!(agent.catalog.snapshot().node("partners").is_none());
    let (status, error) = ask(&agent, "PUT", "/wharf/v1/external", r#"{"service":"x","htp":"y"}"#).await;
    assert_eq!(status, 400);
    assert!(error["error"].as_str().unwrap().contains("`htp`"), "{error}");
}

#[tokio::test]
async fn a_check_definition_may_say_what_consul_has_no_words_for() {
    let agent = Agent::start().await;
    let dns =
        r#"{"Name":"names","Interval":"30s","Wharf":{"dns":{"name":"example.org","expect":["192.0.2.1"]}}}"#;
    agent.done("/v1/agent/check/register", dns).await;
    let page = r#"{"Name":"page","Interval":"30s","HTTP":"http://127.0.0.1:1/",
        "Wharf":{"expect":{"status":["200"],"json":{"$.ok":true}}}}"#;
    agent.done("/v1/agent/check/register", page).await;
    let state = agent.catalog.snapshot();
    let probe = |id: &str| state.check("n1", id).unwrap().probe.clone().unwrap();
    assert_eq!((probe("names").kind.label(), probe("page").kind.label()), ("dns", "http"));
    assert_eq!(probe("page").expect.unwrap().status, ["200"]);
    let wrong = r#"{"Name":"x","Interval":"30s","Wharf":{"dns":{"name":"e"},"icmp":"h"}}"#;
    assert_eq!(agent.put("/v1/agent/check/register", wrong).await.status.as_u16(), 400);
}
