use metrics_exporter_prometheus::PrometheusBuilder;
use wharf_proxy::{Fault, ProxyError};

use crate::harness::{Backend, World, nobody};

#[tokio::test]
async fn requests_retries_and_failures_are_counted_by_service() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let web = Backend::start("b").await;
    let world = World::start().await;
    world.register("web", "a", nobody().await).await;
    world.register("web", "b", web.address).await;
    assert_eq!(world.get("/web/").await.0, 200);
    assert_eq!(world.get("/web/missing").await.0, 404);
    assert_eq!(world.get("/other/").await.0, 404);
    let told = recorder.handle().render();
    for line in [
        "wharf_proxy_requests_total{service=\"web\",code=\"2xx\"} 1",
        "wharf_proxy_requests_total{service=\"web\",code=\"4xx\"} 1",
        "wharf_proxy_requests_total{service=\"none\",code=\"4xx\"} 1",
        "wharf_proxy_retries_total{service=\"web\"} 1",
        "wharf_proxy_upstream_errors_total{service=\"web\",kind=\"connect\"} 1",
        "wharf_proxy_request_seconds_count{service=\"web\"} 2",
        "wharf_proxy_connections ",
    ] {
        assert!(told.contains(line), "{line} in {told}");
    }
}

#[test]
fn an_error_says_whose_fault_it_is_and_whether_a_retry_is_safe() {
    let closed = ProxyError::Closed { endpoint: "10.0.0.1:80".into(), reused: false };
    assert_eq!((closed.fault(), closed.retry_is_safe()), (Fault::Upstream, false));
    assert_eq!(ProxyError::NoService.fault(), Fault::Client);
    let unsent = ProxyError::Unsent { endpoint: "10.0.0.1:80".into(), reused: true };
    assert_eq!((unsent.fault(), unsent.retry_is_safe()), (Fault::Us, true));
}
