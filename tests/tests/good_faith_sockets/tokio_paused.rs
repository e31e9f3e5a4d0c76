//! An hour on tokio: its clock is paused, and its duplex stream is the link.

use core::time::Duration;

use tidegate_core::{Config, Connection, Timestamp};
use tidegate_tokio::{TokioClock, TokioStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::sleep;

use crate::frames::{decode, encode};

type Socket = tidegate_driver::WebSocket<TokioStream<DuplexStream>, TokioClock>;

/// A server with all defaults, and a client that reads, answers pings and counts.
fn pair() -> (Socket, tokio::task::JoinHandle<usize>) {
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    let connection = Connection::server(Timestamp::ZERO, Config::default());
    let socket = Socket::from_connection(TokioStream::new(ours), TokioClock::new(), connection);
    let client = tokio::spawn(async move {
        let (mut input, mut count) = (Vec::new(), 0);
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = theirs.read(&mut buffer).await {
            input.extend(&buffer[..length]);
            while let Some(frame) = decode(&mut input, false) {
                let answer = match frame.opcode {
                    8 => encode(0x88, &frame.payload, true),
                    9 => encode(0x8A, &frame.payload, true),
                    _ => {
                        count += 1;
                        continue;
                    }
                };
                let _ = theirs.write_all(&answer).await;
            }
        }
        count
    });
    (socket, client)
}

#[tokio::test(start_paused = true)]
async fn a_ticker_lives_for_an_hour() {
    let (mut socket, client) = pair();
    for tick in 0..3600 {
        socket.send("tick").await.unwrap_or_else(|error| panic!("tick {tick}: {error}"));
        sleep(Duration::from_secs(1)).await;
    }
    drop(socket);
    assert_eq!(client.await.unwrap(), 3600);
}

#[tokio::test(start_paused = true)]
async fn a_split_ticker_lives_for_an_hour() {
    let (socket, client) = pair();
    let (sender, receiver) = tidegate_tokio::split_spawn(socket);
    for tick in 0..3600 {
        sender.send("tick").await.unwrap_or_else(|error| panic!("tick {tick}: {error}"));
        sleep(Duration::from_secs(1)).await;
    }
    sender.close(tidegate_core::CloseCode::NORMAL, "").await.unwrap();
    drop(receiver);
    assert_eq!(client.await.unwrap(), 3600);
}
