//! WebSockets in servers of axum and hyper, by their bytes: HTTP/1.1 and HTTP/2.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod extended_connect;
mod h1;
mod h2;
#[path = "../../examples/h2_stream/stream.rs"]
mod h2_stream;
mod shutdown;
mod stalled;

use core::convert::Infallible;
use core::net::SocketAddr;
use core::time::Duration;

use axum::Router;
use axum::routing::any;
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tidegate_tokio::axum::WebSocketUpgrade;
use tidegate_tokio::hyper::{Socket, upgrade};
use tidegate_tokio::{Config, Message};
use tokio::net::TcpListener;
use tokio::time::timeout;

/// Servers that do the same.
pub(crate) async fn servers() -> [(&'static str, SocketAddr); 2] {
    [("axum", axum().await), ("hyper", hyper().await)]
}

async fn axum() -> SocketAddr {
    let on = |upgrade: WebSocketUpgrade| async {
        let upgrade = upgrade.protocols(["v2", "v1"]).header("X-Room", "1").config(config());
        let chosen = upgrade.selected_protocol().map(String::from);
        upgrade.on_upgrade(move |socket| async move {
            assert_eq!(socket.subprotocol(), chosen.as_deref());
            handle(socket).await;
        })
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/", any(on)).route("/flood", any(on));
    tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    address
}

async fn hyper() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async {
                let mut builder = Builder::new(TokioExecutor::new());
                builder.http2().enable_connect_protocol();
                let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request)) });
                // How a connection ends is the client's affair.
                let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

fn answer(mut request: http::Request<hyper::body::Incoming>) -> http::Response<Full<Bytes>> {
    let upgrade = match upgrade(&mut request) {
        Ok(upgrade) => upgrade.header("X-Room", "1").config(config()),
        Err(refusal) => return refusal.into_response().map(Full::new),
    };
    let upgrade = match upgrade.request().select_subprotocol(&["v2", "v1"]).map(String::from) {
        Some(chosen) => upgrade.subprotocol(chosen),
        // A mistake, which the client is told of.
        None if upgrade.request().query() == Some("wrong") => upgrade.subprotocol("wrong"),
        None => upgrade,
    };
    match upgrade.accept() {
        Ok((response, opening)) => {
            tokio::spawn(async { handle(opening.await.unwrap()).await });
            response.map(|()| Full::default())
        }
        Err(refusal) => refusal.into_response().map(Full::new),
    }
}

/// An echo, until a message says otherwise.
async fn handle(mut socket: Socket) {
    while let Ok(Some(message)) = socket.recv().await {
        if message == Message::text("flood") {
            while socket.send(vec![7; 16 * 1024]).await.is_ok() {
                SENT.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
            }
            continue;
        }
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

#[cfg(feature = "deflate")]
fn config() -> Config {
    let options = tidegate_core::deflate::DeflateOptions::default();
    Config::builder().deflate(options).build().unwrap()
}

#[cfg(not(feature = "deflate"))]
fn config() -> Config {
    Config::default()
}

/// Nothing here takes long, unless it hangs.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), future).await.expect("it takes too long")
}

/// Messages of all floods.
pub(crate) static SENT: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);
