//! Echoes text and binary. Ctrl-C closes all connections with 1001 and ends.
//!
//! `cargo run --release --example echo_server -p tidegate-tokio --features deflate [address]`
//!
//! The tests run conformance suites and other implementations against it. It allows messages up to
//! 16 MiB, any subprotocol, and permessage-deflate if it is built with the feature.

use core::time::Duration;

use tidegate_tokio::{Acceptance, ClientInfo, Config, Decision, Error, ServeOptions, WebSocket};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn core::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(&address).await?;
    println!("ws://{}/", listener.local_addr()?);

    let config = Config::builder().max_message_size(16 * 1024 * 1024);
    #[cfg(feature = "deflate")]
    let config = config.deflate(tidegate_tokio::deflate::DeflateOptions::default());
    let config = config.build()?;
    let options = ServeOptions::builder()
        .config(config)
        .max_connections(None)
        .decide(whatever_is_asked_for)
        .build()?;
    let server = tidegate_tokio::serve(listener, options, |socket, _| async move {
        echo(socket).await.inspect_err(|error| eprintln!("{error}"))
    });
    let counters = server.until(tokio::signal::ctrl_c(), DRAIN).await;
    println!("{counters:?}");
    Ok(())
}

/// Accepts any subprotocol, since an echo does not interpret messages.
async fn whatever_is_asked_for(client: ClientInfo) -> Decision {
    match client.request().subprotocols().next() {
        Some(subprotocol) => Acceptance::new().subprotocol(subprotocol).into(),
        None => Acceptance::new().into(),
    }
}

async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        let mut echoed = socket.feed(message).await;
        // Echoes all messages of one read before one flush, as far as there is room.
        while echoed.is_ok()
            && let Some(message) = socket.try_recv()
        {
            echoed = socket.feed(message).await;
        }
        if echoed.is_ok() {
            echoed = socket.flush().await;
        }
        match echoed {
            // The server is shutting down: further messages are not echoed, and `recv` gets the end.
            Ok(()) | Err(Error::Closing) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// How long connections may take to close. A little more than `close_timeout`.
const DRAIN: Duration = Duration::from_secs(11);
