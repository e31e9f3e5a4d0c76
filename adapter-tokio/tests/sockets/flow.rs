//! Flow control in both directions.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tidegate_tokio::{CloseCode, Config, Error, Failure, Message, Watermarks, WebSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::{pair, raw_client, soon};

#[tokio::test]
async fn a_slow_reader_slows_the_sender() {
    let config = Config::builder().message_marks(Watermarks::new(4, 1)).build().unwrap();
    let (mut server, mut client) = pair(Config::default(), config).await;
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let sending = tokio::spawn(async move {
        for number in 0..2_000_u32 {
            server.send(number.to_be_bytes().repeat(4_096)).await.unwrap();
            counter.fetch_add(1, Ordering::Relaxed);
        }
        server.close(CloseCode::NORMAL, "").await.unwrap()
    });

    // 2,000 messages of 16 KiB are more than the kernel's buffers take: the sender comes to a stop.
    let mut before = u64::MAX;
    while before != sent.load(Ordering::Relaxed) {
        before = sent.load(Ordering::Relaxed);
        assert!(timeout(Duration::from_millis(300), client.drive()).await.is_err());
        assert_eq!(client.queued_messages(), 4);
    }
    assert!(before < 1_500, "{before} messages went out, and nobody took one");

    let mut number = 0_u32;
    while let Some(message) = soon(client.recv()).await.unwrap() {
        assert_eq!(message.as_bytes(), number.to_be_bytes().repeat(4_096));
        number += 1;
    }
    assert_eq!(number, 2_000);
    let stats = client.stats();
    assert_eq!(stats.peak_messages, 4);
    assert!(stats.peak_bytes <= 4 * 16 * 1024);
    assert!(sending.await.unwrap().is_clean());
}

#[tokio::test]
async fn a_ping_is_answered_inside_a_long_send() {
    const SIZE: usize = 32 * 1024 * 1024;
    let (mut server, mut stream) = raw_client(Config::default()).await;
    let sending = tokio::spawn(async move {
        // Its one and only call.
        server.send(vec![7; SIZE]).await.unwrap();
        server
    });
    // The message is too large for the kernel's buffers: the server is inside `send`.
    sleep(Duration::from_millis(50)).await;
    stream.write_all(b"\x89\x84\0\0\0\0ping").await.unwrap();
    assert!(!sending.is_finished());
    let mut frames = vec![0; 10 + SIZE + 6];
    soon(stream.read_exact(&mut frames)).await.unwrap();
    // A frame is not interrupted, so the pong comes right behind it.
    assert_eq!(frames[10 + SIZE..], *b"\x8a\x04ping");
    assert_eq!(soon(sending).await.unwrap().stats().pings_in, 1);
}

#[tokio::test]
async fn two_peers_send_a_large_message_before_either_reads() {
    const SIZE: usize = 100 * 1024 * 1024;
    let config = Config::builder().max_message_size(SIZE).build().unwrap();
    let (mut server, mut client) = pair(config.clone(), config).await;
    async fn send_then_receive(socket: &mut WebSocket, byte: u8) -> Option<Message> {
        socket.send(vec![byte; SIZE]).await.unwrap();
        socket.recv().await.unwrap()
    }
    let both = async {
        tokio::join!(send_then_receive(&mut server, 1), send_then_receive(&mut client, 2))
    };
    let (at_server, at_client) = soon(both).await;
    for (message, byte) in [(at_server, 2), (at_client, 1)] {
        assert!(message.unwrap().into_bytes() == vec![byte; SIZE]);
    }
}

#[tokio::test]
async fn echo_with_any_size() {
    let (mut server, mut client) = pair(Config::default(), Config::default()).await;
    let echoing = tokio::spawn(async move {
        while let Some(message) = server.recv().await.unwrap() {
            server.send(message).await.unwrap();
        }
    });
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 1_048_576];
    for round in 0..200 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let any = usize::try_from(random % 200_000).unwrap();
        let size = sizes.get(round).copied().unwrap_or(any);
        let message = if random & 1 == 0 {
            Message::binary(random.to_le_bytes().repeat(size / 8 + 1)[..size].to_vec())
        } else {
            Message::text("x".repeat(size))
        };
        soon(client.send(message.clone())).await.unwrap();
        assert_eq!(soon(client.recv()).await.unwrap(), Some(message));
    }
    assert!(soon(client.close(CloseCode::NORMAL, "")).await.unwrap().is_clean());
    echoing.await.unwrap();
}

#[tokio::test]
async fn a_peer_that_never_reads() {
    let limit = Duration::from_secs(1);
    let config = Config::builder().write_timeout(limit).close_timeout(limit).build().unwrap();
    let (mut server, stream) = raw_client(config).await;
    let flooding = async { while server.send(vec![0; 100_000]).await.is_ok() {} };
    assert!(timeout(Duration::from_millis(500), flooding).await.is_err(), "send waits");
    assert!(server.try_send(vec![0; 100_000]).is_err(), "and does not buffer more");
    let error = soon(server.close(CloseCode::NORMAL, "")).await.unwrap_err();
    let limits = [Some(Failure::WriteTimeout), Some(Failure::CloseTimeout)];
    assert!(matches!(error, Error::Closed(closed) if limits.contains(&closed.failure())));
    assert!(server.get_ref().is_none(), "the socket is closed");
    drop(stream);
}

#[tokio::test]
async fn cancelled_calls_lose_nothing() {
    let (mut server, mut client) = pair(Config::default(), Config::default()).await;
    let echoing = tokio::spawn(async move {
        loop {
            let message = tokio::select! {
                biased;
                message = server.recv() => message.unwrap(),
                () = tokio::task::yield_now() => continue,
            };
            let Some(message) = message else { return };
            server.feed(message).await.unwrap();
            tokio::select! {
                biased;
                flushed = server.flush() => flushed.unwrap(),
                () = tokio::task::yield_now() => {}
            }
        }
    });
    for number in 0..300_u32 {
        let message = Message::binary(number.to_le_bytes().repeat(1 + number as usize * 50));
        // Accepted at once, since the outbox has room; waiting until it is written is cancelled.
        tokio::select! {
            biased;
            sent = client.send(message.clone()) => sent.unwrap(),
            () = core::future::ready(()) => {}
        }
        let receiving = async {
            loop {
                tokio::select! {
                    biased;
                    received = client.recv() => return received,
                    () = tokio::task::yield_now() => {}
                }
            }
        };
        assert_eq!(soon(receiving).await.unwrap(), Some(message));
    }
    soon(client.close(CloseCode::NORMAL, "")).await.unwrap();
    soon(echoing).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_halves_in_two_tasks() {
    let (server, client) = pair(Config::default(), Config::default()).await;
    let (mut sink, mut stream) = StreamExt::split(server);
    let (sender, mut receiver) = mpsc::channel(1);
    let reading = tokio::spawn(async move {
        while let Some(message) = stream.next().await {
            sender.send(message.unwrap()).await.unwrap();
        }
    });
    let writing = tokio::spawn(async move {
        while let Some(message) = receiver.recv().await {
            sink.send(message).await.unwrap();
        }
    });
    let (mut sink, mut stream) = StreamExt::split(client);
    let asking = tokio::spawn(async move {
        for number in 0..2_000_u32 {
            let size = usize::try_from(number % 97 * 131).unwrap();
            sink.feed(Message::binary(number.to_le_bytes().repeat(size))).await.unwrap();
        }
        sink.flush().await.unwrap();
        sink
    });
    for number in 0..2_000_u32 {
        let size = usize::try_from(number % 97 * 131).unwrap();
        let message = soon(stream.next()).await.unwrap().unwrap();
        assert_eq!(message.as_bytes(), number.to_le_bytes().repeat(size));
    }
    let mut sink = soon(asking).await.unwrap();
    soon(sink.close()).await.unwrap();
    assert!(soon(stream.next()).await.is_none());
    soon(reading).await.unwrap();
    soon(writing).await.unwrap();
}
