//! Answers over connections (RFC 7766): whole, however long. Edge.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    responder::{Responder, Transport, Verdict},
    server::Shared,
    wire::Reply,
};

/// A connection over which nothing comes, or goes, for this long is closed.
const IDLE: Duration = Duration::from_secs(10);
/// Connections at the same time; more wait until one is closed.
const CONNECTIONS: usize = 1024;
/// A pause after a connection could not be accepted (no file descriptors left).
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until it is stopped.
pub(crate) async fn listen(shared: Shared, listener: TcpListener) -> io::Result<()> {
    let responder = Arc::new(Mutex::new(shared.responder()));
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let accept = async {
        loop {
            let Ok(seat) = room.clone().acquire_owned().await else { return };
            while connections.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (shared, responder) = (shared.clone(), responder.clone());
                    connections.spawn(async move {
                        // Whoever goes away goes away.
                        let _ended = converse(&shared, &responder, stream).await;
                        drop(seat);
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "dns connection not accepted");
                    sleep(PAUSE).await;
                }
            }
        }
    };
    shared.stop.run_until_cancelled(accept).await;
    connections.shutdown().await;
    Ok(())
}

/// Questions and replies, one after the other.
async fn converse(shared: &Shared, responder: &Mutex<Responder>, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let packet = timeout(IDLE, read(&mut stream)).await??;
        let Some(reply) = reply(shared, responder, &packet).await else { continue };
        let length = u16::try_from(reply.len()).map_err(io::Error::other)?;
        let framed = [&length.to_be_bytes(), reply.as_slice()].concat();
        timeout(IDLE, stream.write_all(&framed)).await??;
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut packet = vec![0; usize::from(length)];
    stream.read_exact(&mut packet).await?;
    Ok(packet)
}

async fn reply(shared: &Shared, responder: &Mutex<Responder>, packet: &[u8]) -> Option<Vec<u8>> {
    let mut reply = Reply::default();
    let chase = match respond(shared, responder, packet, &mut reply) {
        Verdict::Reply => return Some(reply.bytes),
        Verdict::Silence => return None,
        Verdict::Forward => None,
        Verdict::Chase(chase) => Some(chase),
    };
    let reply = shared.ask_others(packet, chase.as_deref(), Transport::Stream).await;
    Some(reply).filter(|reply| !reply.is_empty())
}

fn respond(shared: &Shared, responder: &Mutex<Responder>, packet: &[u8], reply: &mut Reply) -> Verdict {
    let begun = Instant::now();
    let state = shared.catalog.snapshot();
    let mut responder = responder.lock().unwrap_or_else(PoisonError::into_inner);
    let verdict = responder.respond(&state, packet, Transport::Stream, reply);
    responder.tally.flush(begun.elapsed());
    verdict
}
