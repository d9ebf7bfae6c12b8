//! Load balancers beside the embedded one follow the same table: this turns it into what their drivers read.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Clock, Health};
use wharf_proxy_drivers::{Balancers, Candidate, Routes, Statuses};

use crate::{Endpoint, Out, Proxy, Rotation, RouteTable};

/// Has the balancers in the proxy's configuration follow its table until `shutdown`. They are left as they are.
pub async fn follow(proxy: &Proxy, clock: Clock, statuses: Statuses, shutdown: CancellationToken) {
    let config = proxy.config();
    let balancers = Balancers {
        nginx: config.nginx.clone(),
        haproxy: config.haproxy.clone(),
        varnish: config.varnish.clone(),
    };
    if balancers == Balancers::default() {
        return;
    }
    let mut swapped = proxy.swapped();
    let (sender, receiver) = watch::channel(Arc::new(routes(&proxy.table())));
    let drivers = wharf_proxy_drivers::run(balancers, receiver, clock, statuses, shutdown);
    let feed = async {
        while swapped.changed().await.is_ok() {
            let routes = routes(&proxy.table());
            sender.send_if_modified(|told| {
                let news = **told != routes;
                if news {
                    *told = Arc::new(routes);
                }
                news
            });
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = drivers => {}
        () = feed => {}
    }
}

fn routes(table: &RouteTable) -> Routes {
    let services = table.services();
    Routes::new(
        services
            .flat_map(|service| service.endpoints.iter().map(|endpoint| candidate(&service.name, endpoint))),
    )
}

fn candidate<'a>(service: &'a str, endpoint: &'a Endpoint) -> Candidate<'a> {
    let out = match &endpoint.rotation {
        Rotation::In => None,
        Rotation::Out(out) => Some(out),
    };
    Candidate {
        service,
        node: &endpoint.node,
        id: &endpoint.id,
        host: &endpoint.host,
        port: endpoint.port,
        weight: endpoint.weight,
        out: out.map(Out::to_string),
        unknown: out.is_some_and(never_checked),
        cache: endpoint.cache.as_deref(),
        probe: endpoint.probe.as_deref(),
    }
}

/// Is it out only because no check has run yet?
fn never_checked(out: &Out) -> bool {
    matches!(out, Out::Unhealthy { health: Health::Critical, says, .. } if says.is_empty())
}

#[cfg(test)]
mod tests {
    use wharf_catalog::{
        Check, CheckStatusOnPut, Command, Instance, Node, State, Timestamp, Weights, apply::apply,
    };
    use wharf_proxy_drivers::routes::Rotation as Told;

    use super::*;

    fn table(commands: &[Command]) -> RouteTable {
        let state = State::default();
        let state = apply(&state, state.index().next(), Timestamp(0), commands).unwrap().state;
        RouteTable::default().next(&state)
    }

    #[test]
    fn drivers_are_told_shares_hints_and_reasons() {
        let mut instance = Instance::new("n1", "web-1", "Web");
        instance.port = 80;
        instance.weights = Weights { passing: 7, warning: 1 };
        instance.meta.insert("cache".to_owned(), "60s".to_owned());
        instance.meta.insert("check_http".to_owned(), "/health".to_owned());
        let check = Check { instance: Some("web-1".into()), ..Check::new("n1", "c", "c") };
        let put = |output: &str| {
            Command::PutCheck(Check { output: output.to_owned(), ..check.clone() }, CheckStatusOnPut::Set)
        };
        let node = Command::PutNode(Node::new("n1", "10.0.0.1"));
        let told = routes(&table(&[node, Command::PutInstance(instance), put("")]));
        let (name, route) = told.services.iter().next().unwrap();
        assert_eq!((name.as_str(), route.cache.map(|time| time.as_secs())), ("web", Some(60)));
        assert_eq!(route.probe.as_ref().map(|path| path.as_str()), Some("/health"));
        let endpoint = route.endpoints.values().next().unwrap();
        assert_eq!(endpoint.weight, 7);
        assert!(
            matches!(&endpoint.rotation, Told::Unknown(why) if why.contains("check `c`")),
            "{endpoint:?}"
        );
    }
}
