//! What is counted: routes, never names.

use metrics_exporter_prometheus::PrometheusBuilder;

use crate::support::Agent;

#[test]
fn requests_are_counted_by_route_and_status() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let agent = Agent::start().await;
            for name in ["a", "b/c", "d"] {
                agent.get(&format!("/v1/health/service/{name}")).await;
                agent.get(&format!("/v1/nope/{name}")).await;
            }
            agent.put("/v1/kv//unclean", "x").await;
        });
    });
    let text = handle.render();
    for line in [
        r#"wharf_http_requests_total{route="/v1/health/service/{*rest}",status="200"} 3"#,
        r#"wharf_http_requests_total{route="/v1/{*rest}",status="404"} 3"#,
        r#"wharf_http_requests_total{route="/v1/kv/{*rest}",status="301"} 1"#,
        r#"wharf_http_request_seconds_count{route="/v1/health/service/{*rest}"} 3"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
