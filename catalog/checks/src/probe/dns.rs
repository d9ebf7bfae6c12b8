//! A DNS check: does the name server know the name, and does it say what it should?

use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use hickory_proto::{
    op::{Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, RecordType},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket, lookup_host},
    time::{Instant, timeout_at},
};

use super::{Answer, Limits, text::io_reason};

/// A lost datagram is sent again after this share of the time there is.
const TRIES: u32 = 3;

/// What to ask; borrowed from the check's definition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) name: &'a str,
    pub(super) record: &'a str,
    pub(super) server: Option<&'a str>,
    pub(super) expect: &'a [String],
}

pub(super) async fn run(ask: Ask<'_>, limits: Limits) -> Answer {
    let asked = format!("DNS {} {}", ask.record, ask.name);
    let told = timeout_at(limits.deadline(), answers(ask, limits)).await;
    match told.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
        Ok(answers) => match missing(ask.expect, &answers) {
            None => Answer::passing(format!("{asked}: {}", shown(&answers)), limits.begun),
            Some(missing) => Answer {
                response_time: Some(limits.begun.elapsed()),
                ..Answer::critical(format!(
                    "{asked}: `{missing}` is not among the answers: {}",
                    shown(&answers)
                ))
            },
        },
        Err(reason) => Answer::critical(format!("{asked}: {reason}")),
    }
}

fn shown(answers: &BTreeSet<String>) -> String {
    answers.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// The first expected text that nobody said. Names match whatever their case and last dot.
fn missing<'a>(expect: &'a [String], answers: &BTreeSet<String>) -> Option<&'a str> {
    let plain = |text: &str| text.trim_end_matches('.').to_ascii_lowercase();
    let said: BTreeSet<String> = answers.iter().map(|answer| plain(answer)).collect();
    expect.iter().map(String::as_str).find(|text| !said.contains(&plain(text)))
}

async fn answers(ask: Ask<'_>, limits: Limits) -> Result<BTreeSet<String>, String> {
    let record: RecordType = ask
        .record
        .to_ascii_uppercase()
        .parse()
        .map_err(|_| format!("no such record type: {}", ask.record))?;
    let name = Name::from_utf8(ask.name).map_err(|error| format!("not a name: {error}"))?;
    let server = server(ask.server).await?;
    let mut question = Message::new(id(limits.begun), MessageType::Query, OpCode::Query);
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(name, record));
    let packet = question.to_vec().map_err(|error| error.to_string())?;
    let failed = |error: io::Error| format!("{server}: {}", io_reason(&error));
    let mut reply = datagram(server, &packet, limits).await.map_err(failed)?;
    let mut message = Message::from_vec(&reply).map_err(|error| format!("{server}: {error}"))?;
    if message.metadata.truncation {
        reply = stream(server, &packet).await.map_err(failed)?;
        message = Message::from_vec(&reply).map_err(|error| format!("{server}: {error}"))?;
    }
    if message.metadata.response_code != ResponseCode::NoError {
        return Err(format!("{server} says {}", message.metadata.response_code));
    }
    let told = message.answers.iter().filter(|answer| answer.record_type() == record);
    let told: BTreeSet<String> = told.map(|answer| answer.data.to_string()).collect();
    if told.is_empty() { Err(format!("{server} has no such record")) } else { Ok(told) }
}

/// Differs from run to run; what makes answers hard to forge is the port, new for each run.
fn id(begun: Instant) -> u16 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(begun.elapsed().as_nanos()) as u16
}

async fn server(given: Option<&str>) -> Result<SocketAddr, String> {
    let Some(given) = given else {
        return system_server().ok_or_else(|| "/etc/resolv.conf names no name server".to_owned());
    };
    if let Ok(address) = given.parse() {
        return Ok(address);
    }
    let with_port = if given.contains(':') { given.to_owned() } else { format!("{given}:53") };
    let mut found =
        lookup_host(&with_port).await.map_err(|error| format!("{given}: {}", io_reason(&error)))?;
    found.next().ok_or_else(|| format!("{given} has no address"))
}

fn system_server() -> Option<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").ok()?;
    let address =
        text.lines().find_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok())?;
    Some(SocketAddr::new(address, 53))
}

async fn datagram(server: SocketAddr, packet: &[u8], limits: Limits) -> io::Result<Vec<u8>> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    let mut reply = vec![0; usize::from(u16::MAX)];
    for attempt in 1..=TRIES {
        socket.send(packet).await?;
        let until = limits.begun + limits.timeout * attempt / TRIES;
        while let Ok(received) = timeout_at(until, socket.recv(&mut reply)).await {
            let received = received?;
            if received > 2 && reply[..2] == packet[..2] {
                reply.truncate(received);
                return Ok(reply);
            }
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))
}

async fn stream(server: SocketAddr, packet: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let size = u16::try_from(packet.len()).map_err(io::Error::other)?;
    stream.write_all(&[&size.to_be_bytes(), packet].concat()).await?;
    let mut reply = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use hickory_proto::rr::{RData, Record, rdata};

    use super::*;
    use wharf_catalog::Status;

    /// Answers one question with these addresses.
    async fn name_server(addresses: &'static [Ipv4Addr]) -> String {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let mut packet = [0; 512];
            let (length, from) = socket.recv_from(&mut packet).await.unwrap();
            let asked = Message::from_vec(&packet[..length]).unwrap();
            let mut reply = Message::new(asked.metadata.id, MessageType::Response, OpCode::Query);
            for address in addresses {
                let name = asked.queries[0].name().clone();
                reply.add_answer(Record::from_rdata(name, 60, RData::A(rdata::A(*address))));
            }
            socket.send_to(&reply.to_vec().unwrap(), from).await.unwrap();
        });
        address
    }

    async fn asked(server: &str, expect: &[&str]) -> Answer {
        let limits = Limits { begun: Instant::now(), timeout: Duration::from_secs(20), output: 4096 };
        let expect: Vec<String> = expect.iter().map(|text| (*text).to_owned()).collect();
        run(Ask { name: "www.example.org", record: "A", server: Some(server), expect: &expect }, limits).await
    }

    #[tokio::test]
    async fn the_expected_record_must_be_among_the_answers() {
        const TWO: &[Ipv4Addr] = &[Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];
        let answer = asked(&name_server(TWO).await, &["192.0.2.2"]).await;
        assert_eq!(
            (answer.status, &*answer.output),
            (Status::Passing, "DNS A www.example.org: 192.0.2.1, 192.0.2.2")
        );
        assert!(answer.response_time.is_some());
        let answer = asked(&name_server(TWO).await, &["192.0.2.9"]).await;
        assert_eq!(answer.status, Status::Critical);
        assert!(answer.output.contains("`192.0.2.9` is not among"), "{}", answer.output);
    }

    #[tokio::test]
    async fn no_record_at_all_is_critical() {
        let answer = asked(&name_server(&[]).await, &[]).await;
        assert_eq!(answer.status, Status::Critical);
        assert!(answer.output.contains("has no such record"), "{}", answer.output);
    }
}
