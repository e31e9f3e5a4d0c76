//! What the streams of an HTTP/2 connection hold whose client takes nothing, by a counting
//! allocator, in a process of its own.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "http/extended_connect.rs"]
mod extended_connect;

use core::convert::Infallible;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use peak_alloc::PeakAlloc;
use tidegate_tokio::hyper::{SEND_BUFFER, Socket, enable_websockets, upgrade};
use tidegate_tokio::{Message, Outcome, Prepared, Slow, broadcast};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::extended_connect::{ask, connect, connect_until, request};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The allocator counts for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

const STREAMS: usize = 50;
const MESSAGE: usize = 1_000_000;

/// hyper keeps four pieces of 16 KiB that the window does not admit: two in a channel, one in the
/// task behind it, one in h2. And what surrounds them.
const HELD: usize = 4 * 16 * 1024 + 4 * 1024;

/// What the connection itself holds, at both ends: the client's h2 takes 64 KiB in, too.
const CONNECTION: usize = 256 * 1024;

#[tokio::test]
async fn senders_that_nobody_reads_hold_a_few_pieces_each() {
    let _alone = ALONE.lock().await;
    let (address, mut sockets) = server().await;
    let client = Client::open(address).await;
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    flood(&mut sockets).await;
    let grown = MEMORY.peak_usage() - before;
    let allowed = MESSAGE + STREAMS * HELD + CONNECTION;
    assert!(grown <= allowed, "{grown} bytes, {} a stream", grown / STREAMS);
    drop(client);
}

#[tokio::test]
async fn members_that_read_nothing_cost_little_and_are_found_slow() {
    let _alone = ALONE.lock().await;
    let (address, mut sockets) = server().await;
    let client = Client::open(address).await;
    let (mut members, mut receivers) = (Vec::new(), Vec::new());
    for _ in 0..STREAMS {
        let (sender, receiver, driver) = soon(sockets.recv()).await.unwrap().split();
        tokio::spawn(driver);
        members.push(sender);
        receivers.push(receiver);
    }
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let news = Prepared::new(vec![7; MESSAGE]);
    for round in 1..=5 {
        let outcomes = broadcast(&members, &news, Slow::Skip);
        let expected = if round == 1 { Outcome::Sent } else { Outcome::Skipped };
        let others = outcomes.iter().filter(|outcome| **outcome != expected).count();
        assert_eq!(others, 0, "round {round}: not all are {expected:?}");
        quiet().await;
    }
    // The members share the bytes of the message.
    let grown = MEMORY.peak_usage() - before;
    let allowed = 2 * MESSAGE + STREAMS * HELD + CONNECTION;
    assert!(grown <= allowed, "{grown} bytes, {} a member", grown / STREAMS);
    drop(client);
}

/// The window is the peer's to choose. What it admits and TCP does not take, waits in h2.
#[tokio::test]
async fn open_windows_hold_little_more_where_tcp_stands_still() {
    let _alone = ALONE.lock().await;
    let (address, mut sockets) = server().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let mut open_windows = h2::client::Builder::new();
    open_windows.initial_window_size(1 << 30).initial_connection_window_size(1 << 30);
    let stopped = async { stopped.await.unwrap() };
    let client = Client::of(connect_until(&open_windows, address, stopped).await).await;
    stop.send(()).unwrap();
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    flood(&mut sockets).await;
    let grown = MEMORY.peak_usage() - before;
    let allowed = MESSAGE + STREAMS * (HELD + SEND_BUFFER) + CONNECTION;
    assert!(grown <= allowed, "{grown} bytes, {} a stream", grown / STREAMS);
    drop(client);
}

/// Lets every socket send as much as it can, until nothing moves.
async fn flood(sockets: &mut mpsc::UnboundedReceiver<Socket>) {
    let message = Message::binary(vec![7; MESSAGE]);
    let before = MEMORY.current_usage();
    for _ in 0..STREAMS {
        let mut socket = soon(sockets.recv()).await.unwrap();
        let message = message.clone();
        tokio::spawn(async move { while socket.send(message.clone()).await.is_ok() {} });
    }
    // They do hold something: two pieces each at least.
    let held = async {
        while MEMORY.current_usage() < before + STREAMS * 2 * 16 * 1024 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    soon(held).await;
    quiet().await;
}

/// A client that has opened its streams and reads none of them.
#[derive(Debug)]
struct Client {
    _requests: SendRequest<Bytes>,
    _streams: Vec<(http::Response<h2::RecvStream>, h2::SendStream<Bytes>)>,
}

impl Client {
    async fn open(address: SocketAddr) -> Self {
        Self::of(connect(address).await).await
    }

    async fn of(requests: SendRequest<Bytes>) -> Self {
        let mut streams = Vec::new();
        for _ in 0..STREAMS {
            let (response, send) = ask(&requests, request()).await;
            assert_eq!(response.status(), 200);
            streams.push((response, send));
        }
        Self { _requests: requests, _streams: streams }
    }
}

/// A server of hyper, and the sockets that it opens.
async fn server() -> (SocketAddr, mpsc::UnboundedReceiver<Socket>) {
    let (opened, sockets) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut builder = Builder::new(TokioExecutor::new());
        enable_websockets(&mut builder);
        let service = service_fn(|mut request: http::Request<Incoming>| {
            let opened = opened.clone();
            async move {
                let (response, opening) = upgrade(&mut request).unwrap().accept().unwrap();
                tokio::spawn(async move { opened.send(opening.await.unwrap()).unwrap() });
                Ok::<_, Infallible>(response.map(|()| Full::<Bytes>::default()))
            }
        });
        let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
    });
    (address, sockets)
}

/// Until nothing is allocated any more.
async fn quiet() {
    let rest = async {
        let mut before = MEMORY.peak_usage();
        let mut still = 0;
        while still < 3 {
            sleep(Duration::from_millis(30)).await;
            let now = MEMORY.peak_usage();
            still = if now == before { still + 1 } else { 0 };
            before = now;
        }
    };
    soon(rest).await;
}

/// Nothing here takes long, unless it hangs.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), future).await.expect("it takes too long")
}
