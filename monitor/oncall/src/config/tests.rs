use super::*;

/// Lines around which the tests write.
const BASE: &str = r#"
[users.dana]
contacts.phone = { type = "ntfy", url = "https://ntfy.example/dana" }
paging = [{ contact = "phone" }]

[rotations.primary]
start = 2026-01-05T09:00:00
every = "week"
members = ["dana"]

[policies.default]
steps = [{ targets = [{ rotation = "primary" }] }]

[routing]
default = "default"
"#;

fn problems(text: &str) -> Vec<String> {
    let error = Plan::from_toml(text, None).unwrap_err();
    error.0.iter().map(ToString::to_string).collect()
}

#[test]
fn a_small_configuration_holds_together() {
    let plan = Plan::from_toml(BASE, None).unwrap();
    assert_eq!(plan.rotations["primary"].shift_length, 1);
    assert_eq!(plan.policies["default"].repeat, Repeat::Times(0));
}

#[test]
fn nothing_at_all_holds_together_too() {
    assert_eq!(Plan::from_toml("", None).unwrap(), Plan::default());
    assert_eq!(Plan::from_toml("[proxy]\nx = 1", Some("oncall")).unwrap(), Plan::default());
}

#[test]
fn it_may_be_a_table_of_another_file() {
    let text = "http_addr = 1\n[oncall.users.dana]\npaging = [{ contact = \"fax\" }]\n";
    let error = Plan::from_toml(text, Some("oncall")).unwrap_err().to_string();
    assert_eq!(
        error,
        "line 3: oncall.users.dana.paging[0].contact: no contact `fax`; add oncall.users.dana.contacts.fax \
         or correct the name"
    );
}

#[test]
fn all_mistakes_are_told_at_once_with_their_lines() {
    let text = r#"time_zone = "Europe/Atlantis"
[users.dana]
nmae = "Dana"
[users.lee]
paging = [{ contact = "sms", after = "soon" }]
[rotations.primary]
start = "2026-01-05T09:00"
every = "week"
members = ["dana", "nobody"]
[policies.default]
steps = [{ targets = [{ rotation = "secondary" }, { receiver = "room" }] }]
[paging]
"#;
    let problems = problems(text);
    let expected = [
        "line 1: time_zone: `Europe/Atlantis` is no time zone",
        "line 3: users.dana: unknown field `nmae`",
        "line 5: users.lee: `soon` is not a duration like \"5m\"",
        "line 9: rotations.primary.members[0]: no user `dana`",
        "line 9: rotations.primary.members[1]: no user `nobody`; add [users.nobody] or correct the name",
        "line 11: policies.default.steps[0].targets[0]: no rotation `secondary`",
        "line 11: policies.default.steps[0].targets[1]: no receiver `room`",
        "line 12: paging: is not known; what is: time_zone, teams",
    ];
    for expected in expected {
        assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{expected}\n{problems:#?}");
    }
    assert!(problems.iter().any(|problem| problem.contains("routing: needs `default`")), "{problems:#?}");
    assert_eq!(problems.len(), expected.len() + 1, "{problems:#?}");
}

#[test]
fn each_reference_and_each_contradiction_is_found() {
    let cases = [
        ("[teams.a]\nmembers = [\"x\"]", "teams.a.members[0]: no user `x`"),
        ("[users.lee]\npage_again = \"1s\"", "users.lee.page_again: is shorter than 1m"),
        ("[users.\"a b\"]", "users.a b: `a b` cannot be a name"),
        ("[receivers.r]\ntype = \"slack\"\nurl = \"ftp://x\"", "receivers.r: `url` does not begin with http"),
        ("[receivers.r]\ntype = \"fax\"", "receivers.r: unknown variant `fax`"),
        ("[receivers.r]\ntype = \"slack\"\nurl = \"http://x\"\nuri = 1", "unknown field `uri`"),
        ("[receivers.r]\ntype = \"email\"\naddress = \"x\"", "`x` is no mail address"),
        (
            "[receivers.r]\ntype = \"email\"\naddress = \"a@b.example\"",
            "receivers.r: needs a mail server; add [smtp] with `server` and `from`",
        ),
        ("[receivers.r]\ntype = \"slack\"\nurl = \"http://x:99999/\"", "`url` is no address: invalid port"),
        ("[receivers.r]\ntype = \"slack\"\nurl = \" \"", "receivers.r: `url` does not begin with http"),
        (
            "[receivers.r]\ntype = \"opsgenie\"\napi_key = \"\"",
            "receivers.r: an address, a token or a key is empty",
        ),
        (
            "[receivers.r]\ntype = \"gotify\"\nserver = \"http://u:p@x\"\ntoken = \"t\"",
            "receivers.r: `server` holds a name or a password",
        ),
        ("[receivers.r]\ntype = \"ntfy\"\nurl = \"http://x/\"", "receivers.r: `url` names no topic"),
        (
            "[smtp]\nserver = \"mail:25\"\nfrom = \"w@x.example\"",
            "smtp.server: holds a port; write it as `port`",
        ),
        ("[smtp]\nserver = \"mail\"\nfrom = \"wharf\"", "smtp.from: is no sender like `wharf@example.org`"),
        (
            "[smtp]\nserver = \"mail\"\nfrom = \"w@x.example\"\nusername = \"w\"",
            "smtp.username: needs `password`",
        ),
        (
            "[smtp]\nserver = \"mail\"\nfrom = \"w@x.example\"\ntimeout = \"2h\"",
            "smtp.timeout: is more than nothing",
        ),
        (
            "[smtp]\nserver = \"mail\"\nfrom = \"w@x.example\"\nca_file = \"ca.pem\"",
            "smtp.ca_file: is no absolute path",
        ),
        ("[smtp]\nserver = \"mail\"\nfrom = \"w@x.example\"\ntls = \"ssl\"", "smtp: unknown variant `ssl`"),
        (
            "[smtp]\nserver = \"mail\"\nfrom = \"w@x.example\"\ntls = \"none\"\nusername = \"w\"\npassword = \"p\"",
            "smtp.tls: would send the password in the clear",
        ),
        (
            "[messages]\ntitel = \"x\"",
            "messages.titel: is not known; what is: title, text, and a table for each of email",
        ),
        ("[messages.fax]\ntitle = \"x\"", "messages.fax: is not known"),
        ("[messages.sms]\ntitle = \"x\"", "messages.sms: is not known"),
        ("[messages.slack]\nhtml = \"x\"", "messages.slack.html: is for [messages.email] only"),
        ("[messages]\ntitle = \"{{#if title}}\"", "messages.title: line 1 of the template: "),
        ("[messages]\ntext = \"a\\n{{tilte}}\"", "messages.text: line 2 of the template: "),
        (
            "[messages.email]\nhtml = \"{{#if (eq occasion 'test')}}{{else}}{{uper title}}{{/if}}\"",
            "messages.email.html: line 1 of the template: no helper `uper`; there are: if, unless",
        ),
        (
            "[messages]\ntext = \"{{> footer}}\"",
            "messages.text: line 1 of the template: there are no partials",
        ),
        ("[messages]\ntext = \"{{time title}}\"", "is no moment"),
        (
            "[receivers.r]\ntype = \"twilio-sms\"\naccount = \"a\"\ntoken = \"t\"\nfrom = \"1\"\nto = \"+34911234567\"",
            "`from` is no telephone number",
        ),
        (
            "[[overrides]]\nrotation = \"primary\"\nuser = \"x\"\nfrom = \"2026-02-01T00:00\"\nuntil = \"2026-01-01T00:00\"",
            "overrides[0].until: does not lie after `from`",
        ),
        (
            "[[swaps]]\nrotation = \"primary\"\nshift = \"2025-02-01T00:00\"\nwith = \"2026-02-01T00:00\"",
            "swaps[0].shift: lies before the rotation's first shift",
        ),
        ("[[rules]]\nname = \"a\"\nmatch = ['a=\"b\"']\nroute = \"x\"", "rules[0].route: no routing key `x`"),
        ("[[rules]]\nname = \"a\"\nmatch = ['a']", "rules[0]: `a` is no matcher"),
        ("[[rules]]\nname = \"a\"\nmatch = []", "rules[0].match: is empty"),
        ("[[grouping]]\nmatch = []\nby = []", "grouping[0].by: is empty"),
        (
            "[silences.s]\nmatch = ['a!=\"b\"']\nuntil = \"2026-02-01T00:00\"\ncomment = \"x\"",
            "silences.s.match: matches every alert",
        ),
        ("[maintenance.m]\nmatch = ['a=\"b\"']\nat = \"02:00\"", "maintenance.m: needs `from` and `until`"),
        (
            "[maintenance.m]\nmatch = ['a=\"b\"']\nat = \"02:00\"\nlasts = \"8d\"\ndays_of_month = [0]",
            "maintenance.m.days_of_month[0]: 0 is no day of a month",
        ),
        (
            "[policies.p]\nsteps = [{ targets = [{ policy = \"p\" }, { user = \"lee\" }] }]\n[users.lee]",
            "policies.p.steps[0].targets[1]: user `lee` cannot be paged",
        ),
        ("[policies.p]\nsteps = [{ targets = [{ policy = \"p\" }] }]", "targets[0]: starts itself"),
        ("[policies.p]\nsteps = [{ after = \"5m\" }]", "policies.p.steps: tells nobody"),
        ("[policies.p]\nteam = \"t\"\nsteps = []\nrepeat = \"often\"", "`repeat` is a number of rounds or"),
    ];
    for (text, expected) in cases {
        let problems = problems(&format!("{BASE}\n{text}\n"));
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{text}\n{problems:#?}");
        assert!(problems.iter().all(|problem| problem.starts_with("line ")), "{problems:#?}");
    }
}

#[test]
fn a_syntax_error_has_its_line() {
    let problems = problems("[users.dana]\npaging = [\n\n[users.lee\n");
    assert!(problems[0].starts_with("line "), "{problems:#?}");
}

#[test]
fn no_secret_is_ever_shown() {
    let text = format!(
        "{BASE}\n[receivers.r]\ntype = \"telegram\"\ntoken = \"hunter2\"\nchat = \"1\"\n\
         [receivers.p]\ntype = \"pagerduty\"\nrouting_key = \"hunter2\"\n"
    );
    let plan = Plan::from_toml(&text, None).unwrap();
    let shown = format!("{plan:?}{}", serde_json::to_string(&plan).unwrap());
    assert!(!shown.contains("hunter2") && !shown.contains("ntfy.example"), "{shown}");
}

#[test]
fn a_mail_server_that_cannot_be_read_is_the_only_complaint_about_mail() {
    let text = "[smtp]\nserver = 1\n[receivers.r]\ntype = \"email\"\naddress = \"a@b.example\"";
    let problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].starts_with("line 2: smtp: invalid type"), "{problems:#?}");
}

#[test]
fn the_port_and_the_sender_of_mails_are_what_is_usual() {
    let smtp = |rest: &str| {
        let text = format!("[smtp]\nserver = \"mail.example\"\n{rest}");
        Plan::from_toml(&text, None).unwrap().smtp.clone().unwrap()
    };
    let plain = smtp("from = \"wharf@x.example\"");
    assert_eq!((plain.port(), plain.sender()), (587, (None, "wharf@x.example")));
    let named = smtp("from = '\"Wharf, alerts\" <wharf@x.example>'\ntls = \"tls\"");
    assert_eq!((named.port(), named.sender()), (465, (Some("Wharf, alerts"), "wharf@x.example")));
    let local = smtp("from = \"wharf@x.example\"\ntls = \"none\"\nport = 1025");
    assert_eq!(local.port(), 1025);
}

#[test]
fn templates_may_use_what_only_some_alerts_have() {
    let text = "[messages]\ntitle = \"{{#each incidents}}{{fields.rack}} {{notes.runbook}}{{/each}}\"\n\
                text = \"{{#each incidents}}{{time started '%H:%M'}} {{truncate (upper title) 20}}{{/each}}\"";
    Plan::from_toml(text, None).unwrap();
}

#[test]
fn a_key_for_other_tools_is_long_fit_for_paths_and_never_told() {
    let told = problems("[inbound]\nkey = \"hunter2.\"");
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("inbound.key") && !told[0].contains("hunter2"), "{told:?}");
    let plan = Plan::from_toml("[inbound]\nkey = \"0123456789abcdef\"", None).unwrap();
    assert_eq!(plan.inbound.key.as_ref().unwrap().reveal(), "0123456789abcdef");
}

#[test]
fn a_stand_in_who_cannot_be_paged_is_refused() {
    let entry = "[users.lee]\n[[overrides]]\nrotation = \"primary\"\nuser = \"lee\"\nfrom = \"2026-03-01T09:00\"\nuntil = \"2026-03-02T09:00\"\n";
    let problems = problems(&format!("{BASE}{entry}"));
    let expected =
        "overrides[0].user: user `lee` cannot be paged; give users.lee contacts and `paging` steps";
    assert!(problems[0].ends_with(expected) && problems.len() == 1, "{problems:#?}");
}

#[test]
fn a_shift_is_not_swapped_with_itself() {
    let swap = |with: &str| {
        format!("{BASE}[[swaps]]\nrotation = \"primary\"\nshift = \"2026-03-03T10:00\"\nwith = \"{with}\"\n")
    };
    let problems = problems(&swap("2026-03-09T08:59"));
    let expected = "swaps[0].with: lies in the same shift as `shift`, from 2026-03-02T09:00:00 until \
                    2026-03-09T09:00:00; name a moment of another";
    assert!(problems[0].ends_with(expected) && problems.len() == 1, "{problems:#?}");
    Plan::from_toml(&swap("2026-03-09T09:00"), None).unwrap();
}
