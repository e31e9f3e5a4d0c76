//! Echoes WebSockets of a hyper server: over HTTP/1.1, and over HTTP/2 by the extended CONNECT
//! (RFC 8441). What is no WebSocket gets a page.
//!
//! `cargo run --release --example hyper_upgrade -p tidegate-tokio --features hyper [address]`
//!
//! Browsers speak HTTP/2 only behind TLS; clients that know it beforehand may without.

use core::convert::Infallible;
use std::io;

use bytes::Bytes;
use http::{Method, Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tidegate_tokio::Error;
use tidegate_tokio::hyper::{Refusal, Socket, upgrade};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9003".into());
    let listener = TcpListener::bind(&address).await?;
    println!("http://{0}/ and ws://{0}/", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream));
    }
}

async fn serve(stream: TcpStream) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http2().enable_connect_protocol();
    let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request)) });
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    if let Err(error) = serving.await {
        eprintln!("{error}");
    }
}

fn answer(mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    let is_page =
        request.version() == Version::HTTP_11 && !request.headers().contains_key("upgrade");
    if request.method() == Method::GET && is_page {
        return Response::new(Full::from(PAGE));
    }
    match accept(&mut request) {
        Ok(response) => response.map(|()| Full::default()),
        Err(refusal) => refusal.into_response().map(Full::new),
    }
}

fn accept(request: &mut Request<Incoming>) -> Result<Response<()>, Refusal> {
    let mut upgrade = upgrade(request)?;
    if let Some(chosen) = upgrade.request().select_subprotocol(&["echo"]).map(String::from) {
        upgrade = upgrade.subprotocol(chosen);
    }
    let (response, opening) = upgrade.accept()?;
    tokio::spawn(async move {
        let echoed = async { echo(opening.await?).await };
        if let Err(error) = echoed.await {
            eprintln!("{error}");
        }
    });
    Ok(response)
}

async fn echo(mut socket: Socket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

const PAGE: &str =
    "<!doctype html><meta charset=utf-8><title>echo</title><input id=i><pre id=o></pre>
<script>
const socket = new WebSocket(location.origin.replace('http', 'ws'), 'echo')
socket.onmessage = event => o.textContent += event.data + '\\n'
socket.onclose = event => o.textContent += `closed: ${event.code}\\n`
i.onchange = () => { socket.send(i.value); i.value = '' }
</script>
";
