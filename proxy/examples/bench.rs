//! A proxy before fixed backends, to be measured from outside:
//! `bench 127.0.0.1:9000 2 127.0.0.1:26001 127.0.0.1:26002` serves `/web/` with 2 worker threads;
//! with 0, one thread per core serves alone, each with connections of its own.

use std::{net::SocketAddr, thread};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Catalog, Clock, Command, Instance, Node, Timestamp, store};
use wharf_proxy::{Config, Proxy};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let listen: SocketAddr = arguments.next().ok_or("an address to listen at")?.parse()?;
    let workers: usize = arguments.next().ok_or("a number of threads")?.parse()?;
    let backends = arguments.map(|backend| backend.parse()).collect::<Result<Vec<SocketAddr>, _>>()?;
    let catalog = Catalog::open(Box::new(store::Memory), Clock::fixed(Timestamp(0)))?;
    let setup = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    setup.block_on(catalog.commit(registrations(&backends)))?;
    if workers > 0 {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
        return runtime.block_on(serve(listen, catalog));
    }
    let cores = thread::available_parallelism()?.get();
    let threads: Vec<_> = (0..cores).map(|_| thread::spawn(core(listen, catalog.clone()))).collect();
    threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
}

fn core(listen: SocketAddr, catalog: Catalog) -> impl FnOnce() -> Result<(), Failure> {
    move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(serve(listen, catalog))
    }
}

async fn serve(listen: SocketAddr, catalog: Catalog) -> Result<(), Failure> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(listen), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&listen.into())?;
    socket.listen(4096)?;
    let listener = TcpListener::from_std(socket.into())?;
    Proxy::new(Config::default(), catalog).run(vec![listener], CancellationToken::new()).await;
    Ok(())
}

fn registrations(backends: &[SocketAddr]) -> Vec<Command> {
    let instance = |(number, backend): (usize, &SocketAddr)| {
        Command::PutInstance(Instance {
            address: backend.ip().to_string(),
            port: backend.port(),
            ..Instance::new("bench", format!("web-{number}"), "web")
        })
    };
    let node = Command::PutNode(Node::new("bench", "127.0.0.1"));
    std::iter::once(node).chain(backends.iter().enumerate().map(instance)).collect()
}
