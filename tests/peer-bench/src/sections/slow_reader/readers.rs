//! The slow readers: each way to read with Tidegate, and the peers with a task that reads for them.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use tidegate_tokio::{Config, TokioClock, TokioStream, WebSocket};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::sleep;

use crate::serve::yawc_options;
use crate::table::Group;

pub struct Reader {
    pub name: &'static str,
    pub group: Group,
    run: fn(TcpStream) -> Run,
}

type Run = Pin<Box<dyn Future<Output = ()>>>;

impl Reader {
    const fn new(name: &'static str, group: Group, run: fn(TcpStream) -> Run) -> Self {
        Self { name, group, run }
    }
}

pub const READERS: &[Reader] = &[
    Reader::new("tidegate, recv", Group::Ours, |stream| Box::pin(recv(stream))),
    Reader::new("tidegate, recv and drive between", Group::Ours, |stream| Box::pin(drive(stream))),
    Reader::new("tidegate, split", Group::Ours, |stream| Box::pin(split(stream))),
    Reader::new("tidegate, Stream", Group::Ours, |stream| Box::pin(stream_of(stream))),
    Reader::new("tokio-tungstenite, next", Group::Peer, |stream| Box::pin(next(stream))),
    Reader::new("tokio-tungstenite, task and queue", Group::Peer, |stream| {
        Box::pin(queued(stream, tungstenite))
    }),
    Reader::new("tokio-websockets, task and queue", Group::Peer, |stream| {
        Box::pin(queued(stream, websockets))
    }),
    Reader::new("fastwebsockets, task and queue", Group::Peer, |stream| {
        Box::pin(queued(stream, fastwebsockets))
    }),
    Reader::new("yawc, task and queue", Group::Peer, |stream| Box::pin(queued(stream, yawc))),
    Reader::new("sockudo-ws, task and queue", Group::Peer, |stream| {
        Box::pin(queued(stream, sockudo))
    }),
];

/// The child process: reads slowly until it is killed. There is no opening handshake.
pub fn read_slowly(name: &str, address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let reader = READERS.iter().find(|reader| reader.name == name).ok_or("no such reader")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let stream = TcpStream::connect(address).await?;
        socket2::SockRef::from(&stream).set_recv_buffer_size(super::SOCKET_BUFFER)?;
        (reader.run)(stream).await;
        Ok::<_, Box<dyn Error>>(())
    })
}

const PAUSE: Duration = Duration::from_millis(100);

fn client(stream: TcpStream) -> WebSocket {
    let clock = TokioClock::new();
    let now = tidegate_core::Timestamp::ZERO;
    let connection = tidegate_tokio::Connection::client(now, Config::default(), [7; 32]);
    WebSocket::from_connection(TokioStream::new(stream), clock, connection)
}

async fn recv(stream: TcpStream) {
    let mut socket = client(stream);
    while let Ok(Some(_)) = socket.recv().await {
        sleep(PAUSE).await;
    }
}

async fn drive(stream: TcpStream) {
    let mut socket = client(stream);
    while let Ok(Some(_)) = socket.recv().await {
        tokio::select! {
            () = socket.drive() => {}
            () = sleep(PAUSE) => {}
        }
    }
}

async fn split(stream: TcpStream) {
    let (_sender, mut receiver) = tidegate_tokio::split_spawn(client(stream));
    while let Ok(Some(_)) = receiver.recv().await {
        sleep(PAUSE).await;
    }
}

async fn stream_of(stream: TcpStream) {
    let mut socket = client(stream);
    while let Some(Ok(_)) = socket.next().await {
        sleep(PAUSE).await;
    }
}

/// Like our `recv`: nothing is read while the application does something else.
async fn next(stream: TcpStream) {
    let role = tungstenite::protocol::Role::Client;
    let mut socket = tokio_tungstenite::WebSocketStream::from_raw_socket(stream, role, None).await;
    while let Some(Ok(_)) = socket.next().await {
        sleep(PAUSE).await;
    }
}

/// A task reads, so that pings are answered, and puts the messages into a queue.
async fn queued<M: 'static, F: Future<Output = ()> + 'static>(
    stream: TcpStream,
    read: fn(TcpStream, UnboundedSender<M>) -> F,
) {
    let (queue, mut messages) = unbounded_channel();
    tokio::task::spawn_local(read(stream, queue));
    while messages.recv().await.is_some() {
        sleep(PAUSE).await;
    }
}

async fn tungstenite(stream: TcpStream, queue: UnboundedSender<tungstenite::Message>) {
    let role = tungstenite::protocol::Role::Client;
    let mut socket = tokio_tungstenite::WebSocketStream::from_raw_socket(stream, role, None).await;
    while let Some(Ok(message)) = socket.next().await {
        let _ = queue.send(message);
    }
}

async fn websockets(stream: TcpStream, queue: UnboundedSender<tokio_websockets::Message>) {
    let mut socket = tokio_websockets::ClientBuilder::new().take_over(stream);
    while let Some(Ok(message)) = socket.next().await {
        let _ = queue.send(message);
    }
}

async fn fastwebsockets(stream: TcpStream, queue: UnboundedSender<Vec<u8>>) {
    use fastwebsockets::{FragmentCollector, Role, WebSocket};
    let mut socket = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Client));
    while let Ok(frame) = socket.read_frame().await {
        let _ = queue.send(frame.payload.to_vec());
    }
}

async fn yawc(stream: TcpStream, queue: UnboundedSender<yawc::Frame>) {
    let options = yawc_options().without_compression();
    let Ok(mut socket) = yawc::WebSocket::from_stream(stream, yawc::Role::Client, options) else {
        return;
    };
    while let Some(frame) = socket.next().await {
        let _ = queue.send(frame);
    }
}

async fn sockudo(stream: TcpStream, queue: UnboundedSender<sockudo_ws::Message>) {
    let mut socket = sockudo_ws::WebSocketStream::client(stream, sockudo_ws::Config::default());
    while let Some(Ok(message)) = socket.next().await {
        let _ = queue.send(message);
    }
}
