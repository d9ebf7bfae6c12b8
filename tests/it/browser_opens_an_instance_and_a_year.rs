//! From a service to one of its instances and why it is in or out; from years down to hours of its uptime, and out again.

use serde_json::{Value, json};

use crate::harness::{
    Wharf,
    browser::{Browser, CONTROL, ENTER},
    eventually, unique, until,
};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// Length and names of the periods in the table, the newest first.
const PERIODS: &str = "const rows = [...document.querySelectorAll('[data-testid=period-row]')];
    return rows.length ? rows[0].dataset.per + ' ' + rows.map((row) => row.dataset.period).join(' ') : ''";
/// What the row of a period says.
const ROW: &str = "return document.querySelector(`[data-testid=period-row][data-period=\"${arguments[0]}\"]`)?.innerText ?? ''";
const AT: &str = "return location.pathname + location.search";
const FOCUSED: &str = "return document.activeElement?.dataset.testid ?? ''";
/// A moment as the browser's calendar names its year, month, day and hour.
const NAMED: &str = "const at = new Date(Number(arguments[0])), two = (n) => String(n).padStart(2, '0');
    const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    return [day.slice(0, 4), day.slice(0, 7), day, `${day}T${two(at.getHours())}`]";

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_says_why_it_is_in_or_out() {
    let wharf = Wharf::without_docker();
    let service = unique("opened");
    let (well, ill) = (format!("pier:{service}-1:80"), format!("pier:{service}-2:80"));
    for (id, status) in [(&well, "passing"), (&ill, "critical")] {
        let instance = json!({
            "Name": service, "ID": id, "Address": "10.20.0.7", "Port": 80, "Tags": ["blue"], "Meta": { "rack": "r-17" },
            "Weights": { "Passing": 5, "Warning": 1 }, "Check": { "Name": "pulse", "TTL": "1h", "Status": status },
        });
        assert_eq!(wharf.put("/v1/agent/service/register", &instance).await.0, 200);
    }
    let browser = Browser::open(1280).await;
    browser.go(&wharf.api(&format!("/ui/services/{service}"))).await;
    browser.click(&format!("[data-instance=\"{well}\"] [data-testid=instance-link]")).await;
    browser.reads("h1", &well).await;
    browser.reads("[data-testid=in-or-out]", "takes traffic").await;
    browser.reads("[data-testid=why]", "requests go to 10.20.0.7:80, weight 5").await;
    for told in ["10.20.0.7", "5 passing, 1 warning", "blue", "rack r-17"] {
        browser.reads("[data-testid=registered]", told).await;
    }
    let path = browser.script("return decodeURIComponent(location.pathname)", &[]).await;
    assert_eq!(path, *format!("/ui/services/{service}/{well}"), "an address to send to somebody");

    // It follows what happens, without a reload.
    let maintenance = format!("/v1/agent/service/maintenance/{well}?enable=true&reason=new+disk");
    assert_eq!(wharf.put(&maintenance, &Value::Null).await.0, 200);
    browser.reads("[data-testid=in-or-out]", "takes no traffic").await;
    browser.reads("main", "new disk").await;
    browser.reads("[data-testid=why]", "maintenance").await;

    browser.click(&format!("[data-testid=registered] a[href=\"/ui/services/{service}\"]")).await;
    browser.reads("h1", &service).await;
    browser.press("k", Some(CONTROL)).await;
    eventually("the palette has the focus", async || browser.script(FOCUSED, &[]).await == "palette").await;
    browser.press(&format!("{service}-2"), None).await;
    browser.reads("[data-testid=palette-item][data-kind=instance]", &ill).await;
    browser.press(ENTER, None).await;
    browser.reads("h1", &ill).await;
    browser.reads("[data-testid=why]", "critical: check").await;
    assert_eq!(wharf.put(&format!("/v1/agent/service/deregister/{ill}"), &Value::Null).await.0, 200);
    browser.reads("[data-testid=problem]", "is registered now").await;

    // Ids are unique on a node only.
    for (node, address) in [("pier-east", "10.20.1.1"), ("pier-west", "10.20.1.2")] {
        let twin = json!({ "Node": node, "Address": address, "Service": { "ID": "twin", "Service": service, "Port": 80 } });
        assert_eq!(wharf.put("/v1/catalog/register", &twin).await.0, 200);
    }
    browser.go(&wharf.api(&format!("/ui/services/{service}/twin"))).await;
    browser.click("main a[href$='node=pier-west']").await;
    browser.reads("[data-testid=registered]", "10.20.1.2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn years_open_into_months_days_and_hours_and_lead_out_again() {
    let wharf = Wharf::without_docker();
    let service = unique("yearly");
    let registered = json!({ "Name": service, "Port": 80, "Check": { "TTL": "1h", "Status": "passing" } });
    assert_eq!(wharf.put("/v1/agent/service/register", &registered).await.0, 200);
    let listed = async || wharf.json(&format!("/ui/api/services/{service}")).await["row"]["state"].clone();
    until("the monitor knows it", listed, |state| *state == "up").await;
    // Up for 400 days, but for 9 minutes 300 days ago, within one hour whatever the zone's offset.
    let now = wharf.json("/ui/api/services").await["now"].as_i64().unwrap();
    let day = (now / DAY - 300) * DAY;
    let (begin, down) = (day - 100 * DAY, day + 12 * HOUR + 5 * 60_000);
    let up = down + 9 * 60_000;
    let past = json!({ "service": service, "label": "told", "tests": [[down, false, null]], "intervals": [
        { "from": begin, "to": down, "state": "up", "reason": "" },
        { "from": down, "to": up, "state": "down", "reason": "made up" },
        { "from": up, "to": now - HOUR, "state": "up", "reason": "" },
    ] });
    let import = wharf.client.post(wharf.api("/wharf/v1/uptime/import")).json(&past).send().await.unwrap();
    assert_eq!(import.status(), 200);

    let browser = Browser::open(1280).await;
    browser.go(&wharf.api(&format!("/ui/services/{service}"))).await;
    let names = browser.script(NAMED, &[&down.to_string()]).await;
    let [year, month, date, hour] = [0, 1, 2, 3].map(|at| names[at].as_str().unwrap().to_owned());
    let periods = async || browser.script(PERIODS, &[]).await.as_str().unwrap().to_owned();
    let shown = async |per: &str, period: &str| {
        let there = |all: &String| all.starts_with(per) && all.split(' ').any(|one| one == period);
        until(&format!("{per}s, with {period}"), periods, there).await;
        let row = async || browser.script(ROW, &[period]).await.as_str().unwrap().to_owned();
        until(&format!("{period} was down for 9 minutes"), row, |row| row.contains("\t9 m\t")).await;
    };
    let open = async |period: &str| browser.click(&format!("[data-period=\"{period}\"] a")).await;

    browser.click("[data-testid=per-year]").await;
    shown("year", &year).await;
    open(&year).await;
    shown("month", &month).await;
    open(&month).await;
    shown("day", &date).await;
    open(&date).await;
    shown("hour", &hour).await;
    let at = browser.script(AT, &[]).await;
    assert_eq!(at, *format!("/ui/services/{service}?per=hour&from={date}"), "the address says it all");
    let hours = periods().await.split(' ').count() - 1;
    assert!((23..=25).contains(&hours), "a whole day, of {hours} hours");

    // Out by the way, by the browser's own button, and to the same by the address alone.
    browser.click("[data-testid=way] a[href*='per=month']").await;
    shown("month", &month).await;
    browser.script("history.back()", &[]).await;
    shown("hour", &hour).await;
    browser.go(&wharf.api(&format!("/ui/services/{service}?per=day&from={month}"))).await;
    shown("day", &date).await;
    browser.click(".close-drill").await;
    eventually("no periods", async || periods().await.is_empty()).await;
}
