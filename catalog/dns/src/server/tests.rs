//! Real questions over loopback sockets.

use std::{net::Ipv4Addr, time::Duration};

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    task::JoinHandle,
    time::timeout,
};
use wharf_catalog::{
    Check, CheckStatusOnPut, Clock, Command, Instance, Node, Status, Timestamp, store::Memory,
};

use super::*;

struct World {
    catalog: Catalog,
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<Result<(), ServeError>>,
}

async fn world() -> World {
    world_with(|_| Config::default()).await
}

/// A world whose settings may depend on where it is reached.
async fn world_with(config: impl FnOnce(SocketAddr) -> Config) -> World {
    let catalog = Catalog::open(Box::new(Memory), Clock::fixed(Timestamp(0))).unwrap();
    let mut commands = vec![Command::PutNode(Node::new("wharf", "127.0.0.1"))];
    for n in 0..50 {
        let mut instance = Instance::new("wharf", format!("b{n}"), "big");
        (instance.address, instance.port) = (format!("10.30.0.{n}"), 7000 + n);
        commands.push(Command::PutInstance(instance));
    }
    let mut web = Instance::new("wharf", "web-1", "Web");
    web.port = 80;
    commands.push(Command::PutInstance(web));
    catalog.commit(commands).await.unwrap();
    let sockets = crate::bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
    let address = sockets.address().unwrap();
    let stop = CancellationToken::new();
    let served =
        tokio::spawn(serve(catalog.clone(), config(address), Queries::default(), sockets, stop.clone()));
    World { catalog, address, stop, served }
}

fn question(name: &str, kind: RecordType, payload: Option<u16>) -> Message {
    let mut message = Message::new(4711, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    if let Some(payload) = payload {
        message.edns = Some(Edns::new());
        message.edns.as_mut().unwrap().set_max_payload(payload);
    }
    message
}

impl World {
    /// Sends `bytes` in a datagram; gives the reply and its length.
    async fn udp(&self, bytes: &[u8]) -> (Message, usize) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(bytes, self.address).await.unwrap();
        let mut buffer = [0; 65_535];
        let received = timeout(Duration::from_secs(10), socket.recv(&mut buffer));
        let length = received.await.expect("a reply in time").unwrap();
        (Message::from_vec(&buffer[..length]).unwrap(), length)
    }

    async fn ask(&self, name: &str, kind: RecordType, payload: Option<u16>) -> (Message, usize) {
        self.udp(&question(name, kind, payload).to_vec().unwrap()).await
    }

    async fn ask_tcp(&self, name: &str, kind: RecordType) -> Message {
        let bytes = question(name, kind, None).to_vec().unwrap();
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_u16(bytes.len() as u16).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let length = stream.read_u16().await.unwrap();
        let mut reply = vec![0; usize::from(length)];
        stream.read_exact(&mut reply).await.unwrap();
        Message::from_vec(&reply).unwrap()
    }
}

#[tokio::test]
async fn an_address_is_answered_with_authority_and_the_question_as_it_was_spelt() {
    let world = world().await;
    let (reply, _) = world.ask("wEb.SERVICE.consul.", RecordType::A, None).await;
    assert_eq!((reply.metadata.id, reply.metadata.response_code), (4711, ResponseCode::NoError));
    assert!(reply.metadata.authoritative && reply.metadata.recursion_desired);
    assert!(!reply.metadata.recursion_available && !reply.metadata.truncation);
    assert!(reply.edns.is_none());
    assert_eq!(reply.queries[0].name.to_ascii(), "wEb.SERVICE.consul.");
    assert_eq!(reply.answers[0].name.to_ascii(), "wEb.SERVICE.consul.");
    let [RData::A(address)] = reply.answers.iter().map(|r| &r.data).collect::<Vec<_>>()[..] else {
        panic!("{reply:?}");
    };
    assert_eq!(address.to_string(), "127.0.0.1");
}

#[tokio::test]
async fn what_does_not_fit_into_a_datagram_is_cut_and_says_so_and_tcp_has_it_all() {
    let world = world().await;
    for kind in [RecordType::A, RecordType::SRV] {
        let mut before = 0;
        for (payload, limit) in
            [(None, 512), (Some(100), 512), (Some(700), 700), (Some(1232), 1232), (Some(65_535), 4096)]
        {
            let (reply, length) = world.ask("big.service.consul.", kind, payload).await;
            let all = reply.answers.len() == 50 && (kind == RecordType::A || reply.additionals.len() == 50);
            assert!(length <= limit, "{length} for {payload:?}");
            assert_eq!(reply.metadata.truncation, !all, "{kind} {payload:?}");
            assert_eq!(reply.edns.is_some(), payload.is_some(), "the OPT record is never cut");
            assert!(reply.answers.len() >= before.max(7), "{}", reply.answers.len());
            before = reply.answers.len().min(9);
        }
        let reply = world.ask_tcp("big.service.consul.", kind).await;
        assert!(!reply.metadata.truncation);
        assert_eq!(reply.answers.len(), 50);
    }
}

#[tokio::test]
async fn a_dead_instance_is_gone_with_the_next_question() {
    let world = world().await;
    assert_eq!(world.ask("web.service.consul.", RecordType::SRV, None).await.0.answers.len(), 1);
    let check =
        Check { instance: Some("web-1".into()), status: Status::Critical, ..Check::new("wharf", "c", "c") };
    let put = Command::PutCheck(check, CheckStatusOnPut::Set);
    world.catalog.commit(vec![put]).await.unwrap();
    let (reply, _) = world.ask("web.service.consul.", RecordType::SRV, None).await;
    assert_eq!(reply.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(reply.authorities[0].record_type(), RecordType::SOA);
}

#[tokio::test]
async fn a_service_registered_in_upper_case_later_is_found() {
    let world = world().await;
    let ask = || world.ask("shop.service.consul.", RecordType::A, None);
    assert_eq!(ask().await.0.metadata.response_code, ResponseCode::NXDomain);
    let put = Command::PutInstance(Instance::new("wharf", "s", "SHOP"));
    world.catalog.commit(vec![put]).await.unwrap();
    assert_eq!(ask().await.0.answers.len(), 1);
}

#[tokio::test]
async fn no_data_no_name_and_not_ours_are_told_apart() {
    let world = world().await;
    for (name, code, authorities) in [
        ("web.service.consul.", ResponseCode::NoError, 1),
        ("nosuch.service.consul.", ResponseCode::NXDomain, 1),
        ("example.com.", ResponseCode::Refused, 0),
    ] {
        let (reply, _) = world.ask(name, RecordType::AAAA, Some(1232)).await;
        assert_eq!(reply.metadata.response_code, code, "{name}");
        assert_eq!((reply.answers.len(), reply.authorities.len()), (0, authorities), "{name}");
        assert!(reply.edns.is_some());
    }
}

#[tokio::test]
async fn strange_questions_get_an_error_and_do_no_harm() {
    let world = world().await;
    let mut status = question("web.service.consul.", RecordType::A, None);
    status.metadata.op_code = OpCode::Status;
    let (reply, _) = world.udp(&status.to_vec().unwrap()).await;
    assert_eq!(reply.metadata.response_code, ResponseCode::NotImp);

    let mut garbage = question("web.service.consul.", RecordType::A, None).to_vec().unwrap();
    garbage[12] = 0xff;
    let (reply, _) = world.udp(&garbage).await;
    assert_eq!(reply.metadata.response_code, ResponseCode::FormErr);

    let (reply, _) = world.ask("web.service.consul.", RecordType::A, None).await;
    assert_eq!(reply.answers.len(), 1);
}

#[tokio::test]
async fn a_port_that_is_taken_is_refused_and_free_again_after_shutdown() {
    let world = world().await;
    let error = crate::bind(world.address, 2).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    world.stop.cancel();
    let ended = timeout(Duration::from_secs(10), world.served).await;
    ended.expect("stops in time").unwrap().unwrap();
    crate::bind(world.address, 2).unwrap();
}

/// A recursor on loopback that answers every name below `example.com` with 192.0.2.7, and counts.
async fn recursor() -> (SocketAddr, Arc<std::sync::atomic::AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let mut message = Message::from_vec(&buffer[..length]).unwrap();
            message.metadata.message_type = MessageType::Response;
            message.metadata.recursion_available = true;
            let name = message.queries[0].name.clone();
            if Name::from_ascii("example.com.").unwrap().zone_of(&name) {
                let data = RData::A(Ipv4Addr::new(192, 0, 2, 7).into());
                message.add_answer(hickory_proto::rr::Record::from_rdata(name, 60, data));
            } else {
                message.metadata.response_code = ResponseCode::NXDomain;
            }
            socket.send_to(&message.to_vec().unwrap(), client).await.unwrap();
        }
    });
    (address, asked)
}

fn with_recursors(recursors: Vec<SocketAddr>) -> Config {
    Config { recursors, recursor_timeout: Duration::from_millis(300), ..Config::default() }
}

#[tokio::test]
async fn what_is_not_ours_is_asked_of_the_first_recursor_that_answers() {
    let (good, _) = recursor().await;
    // Bound and silent.
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let silent_address = silent.local_addr().unwrap();
    let world = world_with(|_| with_recursors(vec![silent_address, good])).await;
    let (reply, _) = world.ask("www.example.com.", RecordType::A, None).await;
    assert_eq!((reply.metadata.id, reply.metadata.response_code), (4711, ResponseCode::NoError));
    assert!(reply.metadata.recursion_available && !reply.metadata.authoritative);
    assert_eq!(reply.answers.len(), 1);
    let (reply, _) = world.ask("www.example.org.", RecordType::A, None).await;
    assert_eq!(reply.metadata.response_code, ResponseCode::NXDomain);
    let (reply, _) = world.ask("9.9.9.9.in-addr.arpa.", RecordType::PTR, None).await;
    assert_eq!(reply.metadata.response_code, ResponseCode::NXDomain, "somebody else knows addresses");
    let (reply, _) = world.ask("web.service.consul.", RecordType::A, None).await;
    assert!(reply.metadata.recursion_available && reply.metadata.authoritative);
}

#[tokio::test]
async fn when_no_recursor_answers_the_question_fails() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let world = world_with(|_| with_recursors(vec![address])).await;
    let (reply, _) = world.ask("www.example.com.", RecordType::A, Some(1232)).await;
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    assert!(reply.edns.is_some());
}

#[tokio::test]
async fn a_recursor_that_is_ourselves_is_not_asked() {
    let world = world_with(|own| with_recursors(vec![own])).await;
    let (reply, _) = world.ask("www.example.com.", RecordType::A, None).await;
    assert_eq!(reply.metadata.response_code, ResponseCode::Refused);
}

#[tokio::test]
async fn a_loop_of_recursors_ends_after_a_bounded_number_of_rounds() {
    // Passes on what it is asked to a wharf that asks it.
    let middle = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let address = middle.local_addr().unwrap();
    let config = Config { recursor_timeout: Duration::from_secs(10), ..with_recursors(vec![address]) };
    let world = world_with(|_| config).await;
    let (target, rounds) = (world.address, Arc::new(std::sync::atomic::AtomicUsize::new(0)));
    let count = rounds.clone();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, client) = middle.recv_from(&mut buffer).await.unwrap();
            let (packet, middle) = (buffer[..length].to_vec(), middle.clone());
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            tokio::spawn(async move {
                let onward = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                onward.send_to(&packet, target).await.unwrap();
                let mut reply = [0; 4096];
                let length = onward.recv(&mut reply).await.unwrap();
                middle.send_to(&reply[..length], client).await.unwrap();
            });
        }
    });
    let (reply, _) = world.ask("www.example.com.", RecordType::A, None).await;
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    assert_eq!(rounds.load(std::sync::atomic::Ordering::SeqCst), 64);
}

#[tokio::test]
async fn host_names_outside_the_zone_are_completed_by_the_recursors() {
    let (good, asked) = recursor().await;
    let world = world_with(|_| with_recursors(vec![good])).await;
    let mut named = Instance::new("wharf", "named", "named");
    named.address = "backend.example.com".to_owned();
    world.catalog.commit(vec![Command::PutInstance(named)]).await.unwrap();
    let (reply, _) = world.ask("named.service.consul.", RecordType::A, None).await;
    let kinds: Vec<_> = reply.answers.iter().map(hickory_proto::rr::Record::record_type).collect();
    assert_eq!(kinds, [RecordType::CNAME, RecordType::A]);
    assert!(reply.metadata.authoritative);
    let (reply, _) = world.ask("named.service.consul.", RecordType::SRV, None).await;
    assert_eq!((reply.answers.len(), reply.additionals.len()), (1, 1));
    let (reply, _) = world.ask("named.service.consul.", RecordType::CNAME, None).await;
    assert_eq!(reply.answers.len(), 1);
    assert_eq!(
        asked.load(std::sync::atomic::Ordering::SeqCst),
        2,
        "an alias that is asked for is not followed"
    );
    let reply = world.ask_tcp("named.service.consul.", RecordType::A).await;
    assert_eq!(reply.answers.len(), 2);
}

#[tokio::test]
async fn a_connection_carries_one_question_after_the_other() {
    let world = world().await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let bytes = question("web.service.consul.", RecordType::A, None).to_vec().unwrap();
    for _ in 0..3 {
        stream.write_u16(bytes.len() as u16).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
    }
    for _ in 0..3 {
        let mut reply = vec![0; usize::from(stream.read_u16().await.unwrap())];
        stream.read_exact(&mut reply).await.unwrap();
        assert_eq!(Message::from_vec(&reply).unwrap().answers.len(), 1);
    }
}
