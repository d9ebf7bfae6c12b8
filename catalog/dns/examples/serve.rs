//! Serves names of a made-up catalog on 127.0.0.1, for load generators: `web.service.consul` (3 instances),
//! `big.service.consul` (50). Usage: `cargo run --release -p wharf-catalog-dns --example serve -- 8600`.

use tokio_util::sync::CancellationToken;
use wharf_catalog::{Catalog, Clock, Command, Instance, Node, Timestamp, store::Memory};
use wharf_catalog_dns::{Config, Queries, bind, serve};

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(8600), |port| port.parse())?;
    let catalog = Catalog::open(Box::new(Memory), Clock::fixed(Timestamp(0)))?;
    let mut commands = vec![Command::PutNode(Node::new("wharf", "127.0.0.1"))];
    for (service, count) in [("web", 3u16), ("big", 50)] {
        for n in 0..count {
            let mut instance = Instance::new("wharf", format!("{service}-{n}"), service);
            (instance.address, instance.port) = (format!("10.30.0.{n}"), 7000 + n);
            commands.push(Command::PutInstance(instance));
        }
    }
    catalog.commit(commands).await?;
    let sockets = bind(([127, 0, 0, 1], port).into(), 2)?;
    serve(catalog, Config::default(), Queries::default(), sockets, CancellationToken::new()).await?;
    Ok(())
}
