use serde_json::json;
use wharf_oncall::{Plan, config::Contact, state::Occasion};
use wharf_senders::{Again, Failure, Senders, SendersError};

use crate::{
    fixture::{ACKNOWLEDGE, PAGE, contact, delivery, summary},
    http::nobody,
    mail_server::MailServer,
    send, senders, triggered,
};

fn dana() -> Contact {
    contact(json!({ "type": "email", "address": "dana@example.org" }))
}

fn settings(server: &MailServer, tls: &str) -> String {
    let login = if tls == "none" { "" } else { "username = \"wharf\"\npassword = \"hush-mail\"\n" };
    format!(
        "[smtp]\nserver = \"127.0.0.1\"\nport = {}\ntls = \"{tls}\"\nfrom = \"Wharf, älerts <wharf@example.org>\"\n{login}timeout = \"60s\"\nca_file = {:?}\n",
        server.port,
        server.ca_file()
    )
}

async fn refused(settings: &str, contact: &Contact) -> Failure {
    let failure = send(&senders(settings), contact, &triggered("x")).await.unwrap_err();
    assert!(!format!("{failure:?}").contains("hush"), "{failure:?}");
    failure
}

#[tokio::test]
async fn a_mail_goes_out_over_starttls_with_a_login_and_says_everything() {
    let mut server = MailServer::start("starttls");
    let senders = senders(&settings(&server, "starttls"));
    let title = "wéb <b>is</b> down\r\nBcc: evil@example.org";
    let receipt = send(&senders, &dana(), &triggered(title)).await.unwrap();
    assert_eq!(receipt.answer, "250 2.0.0 queued as 12AB");
    let mail = server.mail();
    assert_eq!(
        (&mail["sender"], &mail["recipients"], &mail["private"], &mail["user"]),
        (&json!("wharf@example.org"), &json!(["dana@example.org"]), &json!(true), &json!("wharf"))
    );
    let headers = &mail["headers"];
    assert_eq!(headers["subject"], "[CRITICAL] #7 wéb <b>is</b> down Bcc: evil@example.org");
    assert_eq!(headers["from"], "\"Wharf, älerts\" <wharf@example.org>");
    assert_eq!((&headers["to"], headers.get("bcc")), (&json!("dana@example.org"), None));
    assert_eq!(headers["message-id"], "<12.1772352300000.wharf@example.org>");
    assert_eq!((&headers["auto-submitted"], &headers["x-priority"]), (&json!("auto-generated"), &json!("1")));
    assert!(headers["date"].as_str().unwrap().starts_with("Sun, 01 Mar 2026 08:05:00"), "{headers}");
    let text = mail["text"].as_str().unwrap();
    assert!(text.starts_with("0 of 2 instances pass\nsince 2026-03-01 09:00:00 CET\n"), "{text}");
    assert!(text.trim_end().ends_with(&format!("incident: {PAGE}\nacknowledge: {ACKNOWLEDGE}")), "{text}");
    let html = mail["html"].as_str().unwrap();
    assert!(html.contains("wéb &lt;b&gt;is&lt;/b&gt; down") && !html.contains("<b>"), "{html}");
    assert!(html.contains(&format!("href=\"{}\"", ACKNOWLEDGE.replace('&', "&amp;"))), "{html}");
}

#[tokio::test]
async fn all_mails_about_an_incident_are_one_conversation() {
    let mut server = MailServer::start("starttls");
    let senders = senders(&settings(&server, "starttls"));
    let mut conversations = Vec::new();
    for occasion in [Occasion::Triggered, Occasion::Acknowledged, Occasion::Resolved] {
        send(&senders, &dana(), &delivery(occasion, vec![summary("x")])).await.unwrap();
        let mail = server.mail();
        conversations.push(mail["headers"]["references"].clone());
        assert_eq!(mail["headers"].get("x-priority").is_some(), occasion == Occasion::Triggered);
    }
    assert!(conversations[0].is_string() && conversations.iter().all(|other| other == &conversations[0]));
}

#[tokio::test]
async fn tls_from_the_first_byte_and_none_at_all_work_too() {
    let mut server = MailServer::start("tls");
    send(&senders(&settings(&server, "tls")), &dana(), &triggered("x")).await.unwrap();
    assert_eq!(server.mail()["user"], "wharf");
    let mut server = MailServer::start("none");
    send(&senders(&settings(&server, "none")), &dana(), &triggered("x")).await.unwrap();
    let mail = server.mail();
    assert_eq!((&mail["user"], &mail["private"]), (&json!(null), &json!(false)));
}

#[tokio::test]
async fn the_templates_of_mails_are_escaped_where_they_are_html() {
    let mut server = MailServer::start("none");
    let messages =
        "[messages.email]\ntitle = \"{{title}}!\"\ntext = \"{{#each incidents}}{{title}}{{/each}}\"\n";
    let plain = format!("{}{messages}", settings(&server, "none"));
    send(&senders(&plain), &dana(), &triggered("a & <b>")).await.unwrap();
    let mail = server.mail();
    assert_eq!((mail["text"].as_str().unwrap().trim_end(), &mail["html"]), ("a & <b>", &json!(null)));
    assert_eq!(mail["headers"]["subject"], "[CRITICAL] #7 a & <b>!");
    let both = format!("{plain}html = \"<p>{{{{#each incidents}}}}{{{{title}}}}{{{{/each}}}}</p>\"\n");
    send(&senders(&both), &dana(), &triggered("a & <b>")).await.unwrap();
    assert_eq!(server.mail()["html"].as_str().unwrap().trim_end(), "<p>a &amp; &lt;b&gt;</p>");
}

#[tokio::test]
async fn a_server_without_starttls_gets_neither_password_nor_mail() {
    let server = MailServer::start("none");
    let failure = refused(&settings(&server, "starttls"), &dana()).await;
    assert!(failure.reason.contains("STARTTLS"), "{failure:?}");
}

#[tokio::test]
async fn a_server_whose_certificate_nobody_vouches_for_gets_neither_password_nor_mail() {
    let server = MailServer::start("starttls");
    let settings: String = settings(&server, "starttls")
        .lines()
        .filter(|line| !line.starts_with("ca_file"))
        .map(|line| format!("{line}\n"))
        .collect();
    let failure = refused(&settings, &dana()).await;
    assert!(failure.reason.contains("invalid peer certificate"), "{failure:?}");
    assert_eq!(failure.again, Again::Never);
}

#[tokio::test]
async fn a_wrong_password_is_the_end_of_it_and_not_shown() {
    let server = MailServer::start("starttls");
    let settings = settings(&server, "starttls").replace("hush-mail", "hush-wrong");
    let failure = refused(&settings, &dana()).await;
    assert!(failure.reason.contains("535"), "{failure:?}");
    assert_eq!(failure.again, Again::Never);
}

#[tokio::test]
async fn what_the_server_says_of_a_recipient_decides_whether_to_try_again() {
    let server = MailServer::start("starttls");
    let to = |name: &str| contact(json!({ "type": "email", "address": format!("{name}@example.org") }));
    let settings = settings(&server, "starttls");
    let nobody = refused(&settings, &to("nobody")).await;
    assert!(nobody.reason.contains("550") && nobody.reason.contains("no such user here"), "{nobody:?}");
    assert_eq!(nobody.again, Again::Never);
    let later = refused(&settings, &to("later")).await;
    assert!(later.reason.contains("greylisted"), "{later:?}");
    assert_eq!(later.again, Again::Soon);
    let echo = refused(&settings, &to("echo")).await;
    assert!(echo.reason.contains("refused: [secret] [secret]"), "{echo:?}");
}

#[tokio::test]
async fn a_mail_server_that_is_away_or_asleep_is_tried_again() {
    let server = MailServer::start("starttls");
    let slow = contact(json!({ "type": "email", "address": "slow@example.org" }));
    let failure = refused(&settings(&server, "starttls").replace("60s", "2s"), &slow).await;
    assert_eq!(
        (failure.reason.as_str(), failure.again),
        ("the mail server took no mail within 2 s", Again::Soon)
    );
    let away = format!(
        "[smtp]\nserver = \"127.0.0.1\"\nport = {}\nfrom = \"w@example.org\"\n",
        nobody().await.port()
    );
    let failure = refused(&away, &dana()).await;
    assert!(failure.reason.contains("refused"), "{failure:?}");
    assert_eq!(failure.again, Again::Soon);
}

#[tokio::test]
async fn without_a_mail_server_a_mail_fails_at_once_with_the_remedy() {
    let failure = refused("", &dana()).await;
    assert_eq!(failure.again, Again::Never);
    assert!(failure.reason.contains("add [smtp]"), "{failure:?}");
}

#[tokio::test]
async fn a_file_of_authorities_that_cannot_be_used_is_told_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, empty) = (folder.path().join("missing.pem"), folder.path().join("empty.pem"));
    std::fs::write(&empty, "nothing").unwrap();
    for file in [missing, empty] {
        let plan = format!("[smtp]\nserver = \"m.example\"\nfrom = \"w@example.org\"\nca_file = {file:?}\n");
        let error = Senders::new(&Plan::from_toml(&plan, None).unwrap()).unwrap_err();
        assert!(
            matches!(&error, SendersError::CaFile { .. })
                && error.to_string().contains(file.to_str().unwrap()),
            "{error}"
        );
    }
}

#[tokio::test]
async fn many_mails_at_once_all_arrive() {
    let mut server = MailServer::start("starttls");
    let senders = senders(&settings(&server, "starttls"));
    let mails = (0..20).map(|i| {
        let senders = senders.clone();
        tokio::spawn(async move { send(&senders, &dana(), &triggered(&format!("mail {i}"))).await.map(drop) })
    });
    for mail in mails.collect::<Vec<_>>() {
        mail.await.unwrap().unwrap();
    }
    let mut subjects: Vec<_> = (0..20).map(|_| server.mail()["headers"]["subject"].to_string()).collect();
    subjects.sort();
    subjects.dedup();
    assert_eq!(subjects.len(), 20);
}
