//! How many registrations a second does the writer keep? `commits [FILE] [CLIENTS] [EACH]`: with a file on
//! disk, otherwise in memory. Prints the rate and what it cost the processor.

use std::{path::Path, sync::Arc};

use wharf_catalog::{
    Catalog, Check, CheckStatusOnPut, Clock, Command, Instance, Node, Store, Timestamp, store,
};

#[tokio::main]
#[expect(clippy::print_stdout, clippy::disallowed_methods, reason = "it measures, and says what it measured")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let store: Box<dyn Store> = match arguments.next().filter(|path| path != "-") {
        Some(path) => Box::new(store::Sqlite::open(Path::new(&path))?),
        None => Box::new(store::Memory),
    };
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse::<usize>());
    let (clients, each) = (number(64)?, number(2_000)?);
    let catalog = Catalog::open(store, Clock::fixed(Timestamp(0)))?;
    catalog.commit(vec![Command::PutNode(Node::new("n", "10.0.0.1"))]).await?;
    let begun = std::time::Instant::now();
    let writers = (0..clients).map(|client| tokio::spawn(register(catalog.clone(), client, each)));
    for writer in writers.collect::<Vec<_>>() {
        writer.await??;
    }
    let (took, commits) = (begun.elapsed().as_secs_f64(), clients * each);
    println!("{:.0} registrations/s, {commits} in {took:.2} s", commits as f64 / took);
    Ok(())
}

/// As a client that registers again and again: the first time it is new, then its tags change.
async fn register(catalog: Catalog, client: usize, each: usize) -> Result<(), wharf_catalog::CommitError> {
    for n in 0..each {
        let id: Arc<str> = format!("web-{client}-{}", n % 100).into();
        let tags = vec![format!("v{n}")];
        let instance = Instance { tags, port: 80, ..Instance::new("n", id.clone(), "web") };
        let check = Check { instance: Some(id.clone()), ..Check::new("n", format!("service:{id}"), "alive") };
        let commands = vec![Command::PutInstance(instance), Command::PutCheck(check, CheckStatusOnPut::Keep)];
        catalog.commit(commands).await?;
    }
    Ok(())
}
