//! Messages in both directions, and the gate.

use core::cell::Cell;
use core::time::Duration;
use std::io::Read;
use std::thread;

use tidegate_core::{CloseCode, Config, Failure, Message, Watermarks};
use tidegate_tests::ends::{
    Adapter, End, Error, Mode, both, cancel, pair, raw_client, sockets, soon, within,
};
use tidegate_tests::random::Random;

async fn echo<A: Adapter>(mut end: End<A>) {
    while let Some(message) = end.recv().await.unwrap() {
        end.send(message).await.unwrap();
    }
    assert!(end.closed().unwrap().is_clean());
}

pub(crate) async fn echo_of_any_size<A: Adapter>(mode: Mode) {
    let (server, mut client) = pair::<A>(mode, Config::default(), Config::default()).await;
    let asking = async move {
        let mut random = Random::new(7);
        let sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 1_048_576];
        for round in 0..80 {
            let any = random.below(60_000);
            let message = if random.one_in(2) {
                Message::text("x".repeat(any))
            } else {
                let size = sizes.get(round).copied().unwrap_or(any);
                Message::binary(random.next().to_le_bytes().repeat(size / 8 + 1)[..size].to_vec())
            };
            client.send(message.clone()).await.unwrap();
            assert!(client.recv().await.unwrap() == Some(message));
        }
        assert!(client.close(CloseCode::NORMAL, "").await.unwrap().is_clean());
    };
    soon::<A, _>(both(echo(server), asking)).await;
}

pub(crate) async fn both_directions_full<A: Adapter>(mode: Mode) {
    const SIZE: usize = 16 * 1024 * 1024;
    let config = Config::builder().max_message_size(SIZE).build().unwrap();
    let (mut server, mut client) = pair::<A>(mode, config.clone(), config).await;
    async fn talk<A: Adapter>(end: &mut End<A>, own: u8, other: u8) {
        // More than the system's buffers hold, before anything is read.
        end.send(vec![own; SIZE]).await.unwrap();
        end.flush().await.unwrap();
        for number in 0..200_u8 {
            end.feed(vec![number; 5_000]).await.unwrap();
        }
        let large = end.recv().await.unwrap().unwrap();
        assert!(large.as_bytes() == vec![other; SIZE]);
        for number in 0..200_u8 {
            let message = end.recv().await.unwrap().unwrap();
            assert!(message.as_bytes() == vec![number; 5_000], "number {number}");
        }
        // Fed messages are written when `recv` has to wait. The last ones may have been received already.
        end.flush().await.unwrap();
    }
    soon::<A, _>(both(talk(&mut server, 1, 2), talk(&mut client, 2, 1))).await;
}

/// The client's end is split in any mode, since only one task can use a whole connection.
pub(crate) async fn senders_on_many_threads<A: Adapter>(mode: Mode) {
    const MESSAGES: u16 = 1_000;
    let marks = Watermarks::new(300, 100);
    let config = Config::builder().send_marks(marks).build().unwrap();
    let (server, client) = sockets::<A>(Config::default(), config).await;
    let server = End::<A>::server(mode, server);
    let (sender, mut receiver) = A::split_spawn(client);
    let threads: Vec<_> = (0..4_u8)
        .map(|task| {
            let sender = sender.clone();
            thread::spawn(move || {
                // A `Sender` needs no runtime.
                smol::block_on(async move {
                    for number in 0..MESSAGES {
                        let [high, low] = number.to_be_bytes();
                        let mut message = vec![task, high, low];
                        message.resize(3 + usize::from(low) / 3, task);
                        sender.send(message).await.unwrap();
                        if number % 100 == 0 {
                            sender.flush().await.unwrap();
                        }
                    }
                });
            })
        })
        .collect();
    let receiving = async move {
        let mut next = [0; 4];
        for _ in 0..4 * usize::from(MESSAGES) {
            let message = receiver.recv().await.unwrap().unwrap();
            let [task, high, low] = *message.as_bytes().first_chunk().unwrap();
            let next = &mut next[usize::from(task)];
            assert_eq!(u16::from_be_bytes([high, low]), *next);
            *next += 1;
        }
        assert!(sender.close(CloseCode::NORMAL, "").await.unwrap().is_clean());
    };
    soon::<A, _>(both(echo(server), receiving)).await;
    for thread in threads {
        thread.join().unwrap();
    }
}

pub(crate) async fn slow_reader<A: Adapter>(mode: Mode) {
    const MESSAGES: u32 = 1_500;
    let config = Config::builder().message_marks(Watermarks::new(4, 1)).build().unwrap();
    let (mut server, mut client) = pair::<A>(mode, Config::default(), config).await;
    let sent = Cell::new(0);
    let sending = async {
        for number in 0..MESSAGES {
            server.send(number.to_be_bytes().repeat(4_096)).await.unwrap();
            sent.set(number + 1);
        }
        // Output is still in flight when the client has taken everything.
        assert_eq!(server.recv().await.unwrap(), None);
    };
    let reading = async {
        // 1,500 messages of 16 KiB are more than the system's buffers hold, so sending blocks.
        let mut before = u32::MAX;
        while before != sent.get() {
            before = sent.get();
            client.be_elsewhere(Duration::from_millis(150)).await;
            assert_eq!(client.queued_messages(), 4);
        }
        assert!(before < MESSAGES - 200, "{before} messages went out, and nobody took one");
        for number in 0..MESSAGES {
            let message = client.recv().await.unwrap().unwrap();
            assert!(message.as_bytes() == number.to_be_bytes().repeat(4_096));
        }
        let stats = client.stats();
        assert_eq!(stats.peak_messages, 4);
        assert!(stats.peak_bytes <= 4 * 16 * 1024);
        client.close(CloseCode::NORMAL, "").await.unwrap();
    };
    soon::<A, _>(both(sending, reading)).await;
}

pub(crate) async fn peer_that_never_reads<A: Adapter>(mode: Mode) {
    let limit = Duration::from_secs(1);
    let config = Config::builder().write_timeout(limit).close_timeout(limit).build().unwrap();
    let (mut server, stream) = raw_client::<A>(mode, config).await;
    let flooding = async { while server.send(vec![0; 100_000]).await.is_ok() {} };
    assert!(within::<A, _>(Duration::from_millis(500), flooding).await.is_none(), "send waits");
    let another = server.send("one more");
    assert!(within::<A, _>(Duration::from_millis(50), another).await.is_none(), "and goes on to");
    let closed = soon::<A, _>(server.close(CloseCode::NORMAL, "")).await;
    // The Close may still be here, or in a buffer of the system or of TLS.
    let Err(Error::Closed(closed)) = closed else { panic!("{closed:?}") };
    let limits = [Some(Failure::WriteTimeout), Some(Failure::CloseTimeout)];
    assert!(limits.contains(&closed.failure()), "{closed}");
    drop(stream);
}

pub(crate) async fn peer_that_reads_slowly<A: Adapter>(mode: Mode) {
    const MESSAGES: u8 = 120;
    const SIZE: u16 = 50_000;
    let (mut server, mut stream) = raw_client::<A>(mode, Config::default()).await;
    let reading = thread::spawn(move || {
        let mut message = vec![0; 4 + usize::from(SIZE)];
        for number in 0..MESSAGES {
            // Reads pieces with pauses, so that writes are accepted in parts of any size.
            for piece in message.chunks_mut(9_999) {
                stream.read_exact(piece).unwrap();
                thread::sleep(Duration::from_micros(500));
            }
            let [high, low] = SIZE.to_be_bytes();
            assert_eq!(message[..4], [0x82, 126, high, low]);
            assert!(message[4..].iter().all(|byte| *byte == number), "number {number}");
        }
        stream
    });
    let sending = async {
        for number in 0..MESSAGES {
            server.send(vec![number; usize::from(SIZE)]).await.unwrap();
        }
        server.flush().await.unwrap();
    };
    soon::<A, _>(sending).await;
    // The high watermark, and the message that crossed it with its header.
    assert!(server.stats().peak_output <= 65_536 + usize::from(SIZE) + 4);
    drop(reading.join().unwrap());
}

pub(crate) async fn ping_while_busy<A: Adapter>(mode: Mode) {
    let (mut server, mut client) = pair::<A>(mode, Config::default(), Config::default()).await;
    let busy = async {
        server.be_elsewhere(Duration::from_millis(200)).await;
        server.stats().pings_in
    };
    let pinging = async {
        for _ in 0..3 {
            client.send("unread").await.unwrap();
            assert!(client.ping().await.unwrap().is_some());
        }
    };
    assert_eq!(soon::<A, _>(both(busy, pinging)).await.0, 3);
    assert_eq!(server.queued_messages(), 3);
}

pub(crate) async fn cancelled_at_every_await<A: Adapter>(mode: Mode) {
    let (mut server, mut client) = pair::<A>(mode, Config::default(), Config::default()).await;
    async fn recv<A: Adapter>(end: &mut End<A>) -> Option<Message> {
        for polls in (0..4).cycle() {
            if let Some(message) = cancel(polls, end.recv()).await {
                return message.unwrap();
            }
            // Lets other tasks run in between.
            A::sleep(Duration::from_micros(10)).await;
        }
        unreachable!("it goes on")
    }
    let echoing = async {
        while let Some(message) = recv(&mut server).await {
            // The message is accepted as a whole; only the wait until it is written is cancelled.
            server.feed(message).await.unwrap();
            cancel(0, server.flush()).await;
        }
    };
    let asking = async {
        for number in 0..120_usize {
            let message = Message::binary(number.to_le_bytes().repeat(1 + number * 50));
            // There is room, so the message is accepted at the first poll.
            cancel(number % 4, client.send(message.clone())).await;
            cancel(number % 3, client.ping()).await;
            assert!(recv(&mut client).await == Some(message));
        }
        while cancel(3, client.close(CloseCode::NORMAL, "")).await.is_none() {
            A::sleep(Duration::from_micros(10)).await;
        }
        assert!(client.closed().unwrap().is_clean());
    };
    soon::<A, _>(both(echoing, asking)).await;
}
