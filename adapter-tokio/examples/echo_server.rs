//! Echoes text and binary. Ctrl-C closes all connections with 1001 and ends.
//!
//! `cargo run --release --example echo_server -p tidegate-tokio --features deflate [address]`
//!
//! It is what conformance suites and other implementations are pointed at: messages up to 16 MiB,
//! any subprotocol, and permessage-deflate if it is built with the feature.

use core::time::Duration;
use std::io;
use std::sync::Arc;

use tidegate_tokio::{CloseCode, Config, Error};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(&address).await?;
    println!("ws://{}/", listener.local_addr()?);

    let config = Config::builder().max_message_size(16 * 1024 * 1024);
    #[cfg(feature = "deflate")]
    let config = config.deflate(tidegate_tokio::deflate::DeflateOptions::default());
    let config = Arc::new(config.build().map_err(io::Error::other)?);

    // Each connection holds a receiver: it learns of the end, and dropping it tells that it is done.
    let (stopping, stop) = watch::channel(());
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, for example: those that are in use come back.
                    eprintln!("accept: {error}");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                break;
            }
        };
        let (stop, config) = (stop.clone(), Arc::clone(&config));
        tokio::spawn(async move {
            if let Err(error) = echo(stream, config, stop).await {
                eprintln!("{error}");
            }
        });
    }

    drop((listener, stop));
    stopping.send_replace(());
    if timeout(DEADLINE, stopping.closed()).await.is_err() {
        eprintln!("{} connections did not close in time", stopping.receiver_count());
    }
    Ok(())
}

async fn echo(
    stream: TcpStream,
    config: Arc<Config>,
    mut stop: watch::Receiver<()>,
) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let mut incoming = tidegate_tokio::accept(stream).await?;
    // An echo speaks whatever is asked for.
    let subprotocol = incoming.request().subprotocols().next().map(String::from);
    if let Some(subprotocol) = subprotocol {
        incoming = incoming.subprotocol(subprotocol);
    }
    let mut socket = incoming.config(config).accept().await?;
    loop {
        // Both can be cancelled at any time: nothing is lost.
        tokio::select! {
            message = socket.recv() => match message? {
                Some(message) => socket.feed(message).await?,
                None => return Ok(()),
            },
            _ = stop.changed() => {
                return socket.close(CloseCode::GOING_AWAY, "the server goes down").await.map(drop);
            }
        }
        // What came at once goes back at once, as far as there is room.
        while let Some(message) = socket.try_recv() {
            socket.feed(message).await?;
        }
        tokio::select! {
            flushed = socket.flush() => flushed?,
            _ = stop.changed() => {
                return socket.close(CloseCode::GOING_AWAY, "the server goes down").await.map(drop);
            }
        }
    }
}

/// How long connections may take to close. A little more than `close_timeout`.
const DEADLINE: Duration = Duration::from_secs(11);
