//! The server that sends as fast as it can.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use std::time::Instant;

use tidegate_tokio::{CloseCode, Error};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// What the server tells, and is told.
#[derive(Default)]
pub(crate) struct Server {
    /// Messages that the socket has taken.
    sent: AtomicU64,
    /// How long it has waited for the socket to take them, in microseconds.
    waited: AtomicU64,
    begin: Notify,
    end: AtomicBool,
}

impl Server {
    /// Begins to send.
    pub(crate) fn begin(&self) {
        self.begin.notify_one();
    }

    /// Sends no more, and closes.
    pub(crate) fn end(&self) {
        self.end.store(true, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(crate) fn waited_micros(&self) -> u64 {
        self.waited.load(Ordering::Relaxed)
    }

    /// Serves one client.
    pub(crate) async fn run(
        self: Arc<Self>,
        listener: TcpListener,
        size: usize,
    ) -> Result<(), Error> {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let mut socket = tidegate_tokio::accept(stream).await?.accept().await?;
        self.begin.notified().await;
        for number in 0.. {
            if self.end.load(Ordering::Relaxed) {
                break;
            }
            let begun = Instant::now();
            socket.send(message(number, size)).await?;
            let waited = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.waited.fetch_add(waited, Ordering::Relaxed);
            self.sent.fetch_add(1, Ordering::Relaxed);
        }
        socket.close(CloseCode::NORMAL, "that was all").await.map(|_| ())
    }
}

/// A message: its number, and its number again to the end.
fn message(number: u64, size: usize) -> Vec<u8> {
    let mut message = number.to_be_bytes().repeat(size.div_ceil(8));
    message.truncate(size);
    message
}

/// Whether this is the message with that number, and nothing of it is missing.
pub(crate) fn is_message(bytes: &[u8], number: u64, size: usize) -> bool {
    let number = number.to_be_bytes();
    bytes.len() == size && bytes.chunks(8).all(|part| number.starts_with(part))
}
