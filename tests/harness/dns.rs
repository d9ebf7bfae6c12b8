//! Questions to a wharf's DNS, over UDP and over TCP.

use std::time::Duration;

use hickory_proto::{
    op::{Message, MessageType, OpCode, Query},
    rr::{Name, RecordType},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

use super::Wharf;

/// How long a reply may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The reply in one datagram.
pub async fn ask_by_udp(wharf: &Wharf, name: &str, kind: RecordType) -> Message {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    socket.send_to(&question(name, kind), wharf.dns).await.expect("send");
    let mut reply = [0; 4096];
    let received = timeout(PATIENCE, socket.recv(&mut reply)).await;
    let length = received.expect("a reply in time").expect("receive");
    Message::from_vec(&reply[..length]).expect("a DNS message")
}

/// The reply over a connection of its own.
pub async fn ask_by_tcp(wharf: &Wharf, name: &str, kind: RecordType) -> Message {
    let asked = async {
        let question = question(name, kind);
        let mut stream = TcpStream::connect(wharf.dns).await?;
        stream.write_u16(question.len().try_into().expect("a short question")).await?;
        stream.write_all(&question).await?;
        let mut reply = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut reply).await?;
        std::io::Result::Ok(reply)
    };
    let reply = timeout(PATIENCE, asked).await.expect("a reply in time").expect("a whole reply");
    Message::from_vec(&reply).expect("a DNS message")
}

fn question(name: &str, kind: RecordType) -> Vec<u8> {
    let mut message = Message::new(4711, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).expect("a name"), kind));
    message.to_vec().expect("a question")
}
