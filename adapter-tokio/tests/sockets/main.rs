//! The adapter on real sockets.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

extern crate alloc;

mod broadcast;
mod closing;
mod flow;
mod opening;
mod streams;

use core::time::Duration;

use tidegate_tokio::{ClientRequest, Config, WebSocket};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// A server's and a client's end of a connection over TCP.
pub(crate) async fn pair(server: Config, client: Config) -> (WebSocket, WebSocket) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = async {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let incoming = tidegate_tokio::accept(stream).await.unwrap();
        incoming.config(server).accept().await.unwrap()
    };
    let connecting = async {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let request = ClientRequest::new(address.to_string(), "/").unwrap();
        tidegate_tokio::client(stream, request, client).await
    };
    let (server, client) = tokio::join!(accepting, connecting);
    (server, client.unwrap())
}

/// A server's end, and a client's that is only a TCP stream behind its handshake.
pub(crate) async fn raw_client(server: Config) -> (WebSocket, TcpStream) {
    let (server, client) = pair(server, Config::default()).await;
    (server, client.into_inner().unwrap().into_inner())
}

/// Nothing here takes long, unless it hangs.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), future).await.expect("it takes too long")
}
