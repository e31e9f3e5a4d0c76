//! Sockets of one HTTP/2 connection whose handlers stand still: the others go on where the server
//! is set up by `enable_websockets`.

use core::convert::Infallible;
use core::future::{pending, poll_fn};
use core::net::SocketAddr;
use core::time::Duration;

use axum::Router;
use axum::routing::{any, post};
use bytes::Bytes;
use h2::SendStream;
use h2::client::SendRequest;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tidegate_tokio::axum::WebSocketUpgrade;
use tidegate_tokio::hyper::{CONNECTION_WINDOW, STREAM_WINDOW, Socket, enable_websockets, upgrade};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::extended_connect::{ask, connect, request};
use crate::soon;

/// Three times what fills the window of a connection that hyper opens by default, 1 MiB.
const STALLED: usize = 48;
const FILLS_A_WINDOW_OF_HYPER: usize = 1024 * 1024;
const UPLOAD: usize = 20_000;
const WINDOW: usize = STREAM_WINDOW as usize;

// hyper allows 200 streams at a time: all of them together leave room.
const _: () = assert!(CONNECTION_WINDOW > 200 * STREAM_WINDOW);

#[tokio::test]
async fn do_not_stop_the_others() {
    for (name, address) in [("axum", axum().await), ("hyper", hyper().await)] {
        let requests = connect(address).await;
        let mut filled = JoinSet::new();
        for _ in 0..STALLED {
            let (response, send) = ask(&requests, request()).await;
            filled.spawn(async { (fill(send).await, response) });
        }
        let stalled = soon(filled.join_all()).await;
        for ((sent, _), _) in &stalled {
            // The window, and what one read took out of it before the handler stood still.
            assert!((WINDOW..=3 * WINDOW).contains(sent), "{name}: {sent} were sent");
        }
        let sent: usize = stalled.iter().map(|((sent, _), _)| sent).sum();
        assert!(sent > 2 * FILLS_A_WINDOW_OF_HYPER, "{name}: {sent} were sent");

        let (response, mut send) = ask(&requests, request()).await;
        let mut received = response.into_body();
        send.send_data(Bytes::from_static(b"\x82\x82\0\0\0\0hi"), false).unwrap();
        assert_eq!(soon(received.data()).await.unwrap().unwrap(), b"\x82\x02hi"[..], "{name}");

        assert_eq!(soon(upload(&requests)).await, UPLOAD.to_string(), "{name}");
    }
}

/// Sends the message that makes the handler stand still, and zeros until the window is used up.
async fn fill(mut send: SendStream<Bytes>) -> (usize, SendStream<Bytes>) {
    static ZEROS: [u8; 16 * 1024] = [0; 16 * 1024];
    let message = Bytes::from_static(b"\x82\x85\0\0\0\0stall");
    let mut sent = message.len();
    send.send_data(message, false).unwrap();
    loop {
        send.reserve_capacity(ZEROS.len());
        let capacity = poll_fn(|cx| send.poll_capacity(cx));
        match timeout(Duration::from_millis(500), capacity).await {
            Ok(capacity) => {
                let count = capacity.unwrap().unwrap().min(ZEROS.len());
                send.send_data(Bytes::from_static(&ZEROS[..count]), false).unwrap();
                sent += count;
            }
            Err(_) => return (sent, send),
        }
    }
}

/// A POST on the same connection. Gives the answer's body.
async fn upload(requests: &SendRequest<Bytes>) -> String {
    let mut requests = requests.clone().ready().await.unwrap();
    let request = Request::post("https://a.test/upload").body(()).unwrap();
    let (response, mut send) = requests.send_request(request, false).unwrap();
    send.send_data(vec![1; UPLOAD].into(), true).unwrap();
    let mut body = response.await.unwrap().into_body();
    let mut text = Vec::new();
    while let Some(data) = body.data().await {
        text.extend_from_slice(&data.unwrap());
    }
    String::from_utf8(text).unwrap()
}

async fn axum() -> SocketAddr {
    let on = |upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(handle) };
    let length = |body: Bytes| async move { body.len().to_string() };
    let app = Router::new().route("/", any(on)).route("/upload", post(length));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut builder = Builder::new(TokioExecutor::new());
        enable_websockets(&mut builder);
        let service = TowerToHyperService::new(app);
        let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
    });
    address
}

async fn hyper() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut builder = Builder::new(TokioExecutor::new());
        enable_websockets(&mut builder);
        let service = service_fn(async |request| Ok::<_, Infallible>(answer(request).await));
        let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
    });
    address
}

async fn answer(mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    if request.uri().path() == "/upload" {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        return Response::new(Full::from(body.len().to_string()));
    }
    let (response, opening) = upgrade(&mut request).unwrap().accept().unwrap();
    tokio::spawn(async { handle(opening.await.unwrap()).await });
    response.map(|()| Full::default())
}

/// An echo. One message makes it stand still forever.
async fn handle(mut socket: Socket) {
    while let Ok(Some(message)) = socket.recv().await {
        if message.as_bytes() == b"stall" {
            pending::<()>().await;
        }
        if socket.send(message).await.is_err() {
            return;
        }
    }
}
