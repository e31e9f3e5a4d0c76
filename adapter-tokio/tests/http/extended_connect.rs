//! A client of the extended CONNECT of HTTP/2 (RFC 8441), by the crate h2.

use core::future::pending;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::ext::Protocol;
use http::{Method, Request, Response};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::soon;

/// A connection of HTTP/2 whose server allows the extended CONNECT.
pub(crate) async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    connect_until(&Builder::new(), address, pending()).await
}

/// The same with settings of its own. When `stop` is ready, nothing of the connection is read any
/// more, and TCP stays open.
pub(crate) async fn connect_until(
    settings: &Builder,
    address: SocketAddr,
    stop: impl Future<Output = ()> + Send + 'static,
) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (requests, connection) = settings.handshake(stream).await.unwrap();
    tokio::spawn(async move {
        tokio::pin!(connection);
        tokio::select! {
            _ = &mut connection => {}
            () = stop => pending().await,
        }
    });
    let allowed = async {
        while !requests.is_extended_connect_protocol_enabled() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    soon(allowed).await;
    requests
}

/// An extended CONNECT.
pub(crate) fn request() -> http::request::Builder {
    Request::builder()
        .method(Method::CONNECT)
        .uri("https://a.test/?x")
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
}

/// Sends it. Gives the answer, and where the client's frames go.
pub(crate) async fn ask(
    requests: &SendRequest<Bytes>,
    request: http::request::Builder,
) -> (Response<h2::RecvStream>, h2::SendStream<Bytes>) {
    let mut requests = requests.clone().ready().await.unwrap();
    let (response, send) = requests.send_request(request.body(()).unwrap(), false).unwrap();
    (soon(response).await.unwrap(), send)
}
