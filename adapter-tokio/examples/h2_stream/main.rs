//! WebSocket over HTTP/2 streams (RFC 8441), with clients and server in one process. A slow client
//! slows its server down through the window of its stream, while a fast one on the same HTTP/2
//! connection is not affected.
//!
//! `cargo run --release --example h2_stream -p tidegate-tokio --features hyper`

#[path = "stream.rs"]
mod stream;

use core::error::Error;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::ext::Protocol;
use http::{Method, Request, Response};
use tidegate_core::handshake::{Acceptance, HttpUpgrade, error_response};
use tidegate_driver::{Clock, WebSocket};
use tidegate_tokio::{CloseCode, Config, Connection, Message, TokioClock};
use tokio::io::DuplexStream;
use tokio::time::sleep;

use crate::stream::H2Stream;

type Socket = WebSocket<H2Stream, TokioClock>;
type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let (client, server) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        if let Err(error) = serve(server).await {
            eprintln!("server: {error}");
        }
    });

    // The connection's window must be larger than one stream's, or one stream could block the others.
    let (mut requests, connection) = h2::client::Builder::new()
        .initial_connection_window_size(1024 * 1024)
        .handshake(client)
        .await?;
    tokio::spawn(connection);
    while !requests.is_extended_connect_protocol_enabled() {
        // The server announces extended CONNECT in its SETTINGS.
        sleep(Duration::from_millis(1)).await;
    }

    let mut slow = connect(&mut requests, "/flood").await?;
    let mut quick = connect(&mut requests, "/flood").await?;
    let mut taken = 0;
    for second in 1..=5 {
        slow.recv().await?;
        let pause = sleep(Duration::from_millis(200));
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                message = quick.recv() => taken += u64::from(message?.is_some()),
            }
        }
        let sent = SENT.load(Ordering::Relaxed);
        let ahead = sent - taken - second;
        println!("slow has taken {second}, quick {taken}; the server is {ahead} messages ahead");
        // The server is ahead by both ends' watermarks and both windows at most.
        assert!(ahead < 200, "nothing slows the server down");
    }
    slow.close(CloseCode::NORMAL, "").await?;
    quick.close(CloseCode::NORMAL, "").await?;
    println!("closed");
    Ok(())
}

/// Opens a client's WebSocket on its own stream.
async fn connect(requests: &mut SendRequest<Bytes>, path: &str) -> Result<Socket, Failure> {
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri(format!("https://example.org{path}"))
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .body(())?;
    let mut ready = requests.clone().ready().await?;
    let (response, send) = ready.send_request(request, false)?;
    let response = response.await?;
    if !response.status().is_success() {
        return Err(format!("the server answers {}", response.status()).into());
    }
    // There is no Sec-WebSocket-Key here; the status accepts. Frames are masked all the same (RFC
    // 8441 §5).
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let clock = TokioClock::new();
    let connection = Connection::client(clock.now(), Config::default(), seed);
    Ok(Socket::from_connection(H2Stream::new(response.into_body(), send), clock, connection))
}

async fn serve(stream: DuplexStream) -> Result<(), Failure> {
    let mut connection =
        h2::server::Builder::new().enable_connect_protocol().handshake(stream).await?;
    while let Some(accepted) = connection.accept().await {
        let (request, mut respond) = accepted?;
        let protocol = request.extensions().get::<Protocol>().map(Protocol::as_str);
        let upgrade = match HttpUpgrade::check(&request, protocol) {
            Ok(upgrade) => upgrade,
            Err(error) => {
                let (head, body) = error_response(error, request.version()).into_parts();
                respond
                    .send_response(Response::from_parts(head, ()), false)?
                    .send_data(body, true)?;
                continue;
            }
        };
        let (response, accepted) = upgrade.accept(Acceptance::new())?;
        let send = respond.send_response(response, false)?;
        let clock = TokioClock::new();
        let connection = accepted.into_connection(clock.now(), Config::default());
        let stream = H2Stream::new(request.into_body(), send);
        tokio::spawn(flood(Socket::from_connection(stream, clock, connection)));
    }
    Ok(())
}

/// Sends as fast as the client reads.
async fn flood(mut socket: Socket) {
    let message = Message::binary(vec![7; 64 * 1024]);
    while socket.send(message.clone()).await.is_ok() {
        SENT.fetch_add(1, Ordering::Relaxed);
    }
    // The client closes; this completes the closing handshake.
    while let Ok(Some(_)) = socket.recv().await {}
}

static SENT: AtomicU64 = AtomicU64::new(0);
