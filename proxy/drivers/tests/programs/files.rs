//! A file that the program refuses never takes the place of a good one, and the reason is told.

use crate::{
    balancer::Kind,
    stage::{Stage, routes, server, until},
};
use wharf_proxy_drivers::Condition;

#[tokio::test]
async fn a_neighbour_that_breaks_nginx_as_a_whole_is_told_and_the_last_good_file_is_back() {
    let ((one, _), (two, _)) = (server("one").await, server("two").await);
    let stage = Stage::set(Kind::Nginx, "", routes(&[("web", one, true)])).await;
    let file = stage.balancer.file();
    let before = std::fs::read_to_string(&file).unwrap();
    let main = file.with_file_name("main.conf");
    let sound = std::fs::read_to_string(&main).unwrap();
    std::fs::write(&main, format!("{sound}nonsense;\n")).unwrap();
    stage.follow(routes(&[("web", two, true)]));
    until("failing", async || stage.status().condition == Condition::Failing).await;
    let status = stage.status();
    assert!(
        status.reason.contains("nonsense") && status.reason.contains("last good file"),
        "{}",
        status.reason
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    assert_eq!(stage.who("/web/").await, ["one"]);
    std::fs::write(&main, sound).unwrap();
    stage.only("/web/", &["two"]).await;
    until("current again", async || stage.status().condition == Condition::Current).await;
}

#[tokio::test]
async fn what_haproxy_refuses_is_not_put_in_place() {
    let (one, _) = server("one").await;
    let extra = tempfile::NamedTempFile::new().unwrap();
    let more = format!("extra = \"{}\"\n", extra.path().display());
    let stage = Stage::set(Kind::Haproxy, &more, routes(&[("web", one, true)])).await;
    let before = std::fs::read_to_string(stage.balancer.file()).unwrap();
    std::fs::write(extra.path(), "frontend mine\n    nonsense\n").unwrap();
    stage.follow(routes(&[("web", one, true), ("api", one, true)]));
    until("failing", async || stage.status().condition == Condition::Failing).await;
    let status = stage.status();
    assert!(status.reason.contains("nonsense"), "{}", status.reason);
    assert_eq!(std::fs::read_to_string(stage.balancer.file()).unwrap(), before);
    std::fs::write(extra.path(), "").unwrap();
    stage.only("/api/", &["one"]).await;
}

#[tokio::test]
async fn a_wrong_secret_is_told_without_the_secret() {
    let (one, _) = server("one").await;
    let stage = Stage::set(Kind::Varnish, "", routes(&[("web", one, true)])).await;
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "hush\n").unwrap();
    let stage = stage
        .begin_again(&format!("secret = \"{}\"\n", secret.path().display()), routes(&[("web", one, true)]));
    until("failing", async || stage.seen().is_some_and(|status| status.condition == Condition::Failing))
        .await;
    let reason = stage.status().reason;
    assert!(reason.contains("`-S`") && !reason.contains("hush"), "{reason}");
}
