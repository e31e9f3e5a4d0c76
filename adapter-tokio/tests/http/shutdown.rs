//! The graceful shutdown of axum, as the page of `tidegate_tokio::axum` tells to do it: every
//! socket is closed with 1001, over HTTP/1.1 and HTTP/2, and the server ends.

use core::net::SocketAddr;
use core::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use tidegate_driver::{ByteStream, Clock, WebSocket};
use tidegate_tokio::axum::{Socket, WebSocketUpgrade};
use tidegate_tokio::{CloseCode, Config, Connection, TokioClock};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::extended_connect::{ask, connect, request};
use crate::h2_stream::H2Stream;
use crate::soon;

#[tokio::test]
async fn closes_the_sockets_of_http_1_1() {
    let (address, stop, server) = serve().await;
    let url = format!("ws://{address}/");
    let socket = soon(tidegate_tokio::connect(&url)).await.unwrap();
    is_closed_by(stop, server, socket).await;
}

#[tokio::test]
async fn closes_the_sockets_of_http_2() {
    let (address, stop, server) = serve().await;
    let requests = connect(address).await;
    let (response, send) = ask(&requests, request()).await;
    let clock = TokioClock::new();
    let connection = Connection::client(clock.now(), Config::default(), [7; 32]);
    let stream = H2Stream::new(response.into_body(), send);
    is_closed_by(stop, server, WebSocket::from_connection(stream, clock, connection)).await;
}

async fn is_closed_by<S: ByteStream>(
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
    mut socket: WebSocket<S, TokioClock>,
) {
    soon(socket.send("hi")).await.unwrap();
    assert_eq!(soon(socket.recv()).await.unwrap(), Some("hi".into()));
    stop.send(()).unwrap();
    // Not before the client answers.
    sleep(Duration::from_millis(100)).await;
    assert!(!server.is_finished());
    assert_eq!(soon(socket.recv()).await.unwrap(), None);
    assert_eq!(socket.closed().map(|closed| closed.code()), Some(CloseCode::GOING_AWAY));
    soon(server).await.unwrap();
}

async fn serve() -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (signal, signalled) = oneshot::channel();
    let (stop, stopped) = watch::channel(false);
    let app = Router::new().route("/", any(echo)).with_state(stopped);
    let tell = stop.clone();
    let signalled = async move {
        signalled.await.unwrap();
        tell.send_replace(true);
    };
    let server = tokio::spawn(async move {
        axum::serve(listener, app).with_graceful_shutdown(signalled).await.unwrap();
        stop.closed().await;
    });
    (address, signal, server)
}

async fn echo(
    upgrade: WebSocketUpgrade,
    State(mut stop): State<watch::Receiver<bool>>,
) -> Response {
    upgrade.on_upgrade(async move |mut socket: Socket| {
        let closer = socket.closer();
        let handler = async {
            while let Ok(Some(message)) = socket.recv().await {
                if socket.send(message).await.is_err() {
                    break;
                }
            }
        };
        tokio::pin!(handler);
        tokio::select! {
            () = &mut handler => return,
            _ = stop.wait_for(|stop| *stop) => {}
        }
        let _ = closer.close(CloseCode::GOING_AWAY);
        handler.await;
    })
}
