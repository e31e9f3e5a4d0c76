//! A subscriber that sends what it hears over the connection it hears of, as a log shipper does.
#![cfg(feature = "tracing")]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use core::time::Duration;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tidegate_core::{Config, Connection, Message, Timestamp, Watermarks};
use tidegate_tokio::{Sender, TokioClock, TokioStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Ships every event.
#[derive(Clone, Default)]
struct Shipper(Arc<Mutex<Option<Sender>>>, Arc<AtomicUsize>);

impl Subscriber for Shipper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("tidegate")
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn event(&self, event: &Event<'_>) {
        let sender = self.0.lock().unwrap().clone();
        if let Some(sender) = sender {
            let _ = sender.try_send(event.metadata().name());
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Fills the inbox of a split server, whose gate closes and opens again, and ends it.
async fn ship(shipper: Shipper) -> usize {
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    let marks = Watermarks::new(2, 1);
    let config = Config::builder().message_marks(marks).build().unwrap();
    let connection = Connection::server(Timestamp::ZERO, config);
    let socket = tidegate_tokio::WebSocket::from_connection(
        TokioStream::new(ours),
        TokioClock::new(),
        connection,
    );
    let (sender, mut receiver) = tidegate_tokio::split_spawn(socket);
    *shipper.0.lock().unwrap() = Some(sender);
    for _ in 0..5 {
        theirs.write_all(b"\x81\x82\0\0\0\0hi").await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..5 {
        assert_eq!(receiver.recv().await.unwrap(), Some(Message::text("hi")));
    }
    drop(shipper.0.lock().unwrap().take());
    theirs.write_all(b"\x88\x82\0\0\0\0\x03\xE8").await.unwrap();
    assert_eq!(receiver.recv().await.unwrap(), None);
    let mut shipped = Vec::new();
    theirs.read_to_end(&mut shipped).await.unwrap();
    assert!(shipped.len() > 4, "what it hears goes over the connection");
    shipper.1.load(Ordering::Relaxed)
}

/// In a thread of its own: one that is blocked cannot be ended otherwise.
#[test]
fn a_subscriber_that_sends_over_what_it_hears_of_does_not_block() {
    let (done, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let shipper = Shipper::default();
        tracing::subscriber::set_global_default(shipper.clone()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        done.send(runtime.block_on(ship(shipper))).unwrap();
    });
    let count = result.recv_timeout(Duration::from_secs(10)).expect("it blocks forever");
    assert!(count > 0, "nothing was told");
}
