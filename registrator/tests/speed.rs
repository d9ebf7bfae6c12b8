//! How fast is it? From the engine's stamp on an event to the commit that follows it.

mod harness;

use harness::{Engine, Stand, now_nanos, unique};
use wharf_catalog::Health;

const ROUNDS: usize = 20;

fn median_millis(mut nanos: Vec<u128>) -> f64 {
    nanos.sort_unstable();
    nanos[nanos.len() / 2] as f64 / 1e6
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_committed_within_milliseconds() {
    let engine = Engine::of_this_machine();
    let stand = Stand::start(&engine.host, |_| {}).await;
    let (mut starts, mut drains, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (service, since) = (unique("svc"), format!("{}", now_nanos() / 1_000_000_000));
        let running = service.clone();
        let host = Engine { host: engine.host.clone() };
        let starting = tokio::task::spawn_blocking(move || host.service(&running));
        stand.registered(&service).await;
        let registered = now_nanos();
        let container = starting.await.unwrap();
        let name = container.name.clone();
        let killing = tokio::task::spawn_blocking(move || {
            container.docker(&["kill"]);
            container
        });
        let state = stand.until("drained", |s| harness::health_of(s, &service) != [Health::Critical]).await;
        let drained = (now_nanos(), harness::health_of(&state, &service));
        stand.gone(&service).await;
        let gone = now_nanos();
        let container = killing.await.unwrap();
        let stamp = |action: &str| {
            let (filter, name) = (format!("event={action}"), format!("container={name}"));
            let until = format!("{}.{:09}", now_nanos() / 1_000_000_000, now_nanos() % 1_000_000_000);
            let arguments =
                ["events", "--since", &since, "--until", &until, "--filter", &name, "--filter", &filter];
            let line = engine.docker(&[&arguments[..], &["--format", "{{.TimeNano}}"]].concat());
            line.lines().next().unwrap().parse::<u128>().unwrap()
        };
        starts.push(registered.saturating_sub(stamp("start")));
        ends.push(gone.saturating_sub(stamp("die")));
        if drained.1 == [Health::Draining] {
            drains.push(drained.0.saturating_sub(stamp("kill")));
        }
        drop(container);
    }
    let seen = drains.len();
    let (start, drain, end) = (median_millis(starts), median_millis(drains), median_millis(ends));
    println!(
        "start -> registered {start:.2} ms, kill -> draining {drain:.2} ms ({seen} of {ROUNDS} seen), die -> gone {end:.2} ms"
    );
    assert!(seen * 2 > ROUNDS, "killed containers went without a drain: {seen} of {ROUNDS}");
    for (what, millis) in [("start", start), ("kill", drain), ("die", end)] {
        assert!(millis < 50.0, "{what} took {millis:.2} ms in the median");
    }
}
