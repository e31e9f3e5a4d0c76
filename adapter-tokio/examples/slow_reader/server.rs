//! The server that sends as fast as it can.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use core::time::Duration;
use std::time::Instant;

use tidegate_tokio::{CloseCode, Error};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// The state that the server shares with the client and the verdict.
pub(crate) struct Server {
    origin: Instant,
    /// Messages that the socket has taken.
    sent: AtomicU64,
    /// How long the server has waited for the socket to take them, in microseconds.
    waited: AtomicU64,
    /// The start of the current wait, in microseconds; 0 if the server is not waiting.
    waits_since: AtomicU64,
    begin: Notify,
    end: AtomicBool,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self {
            origin: Instant::now(),
            sent: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            waits_since: AtomicU64::new(0),
            begin: Notify::new(),
            end: AtomicBool::new(false),
        }
    }

    /// Starts sending.
    pub(crate) fn begin(&self) {
        self.begin.notify_one();
    }

    /// Stops sending, and closes.
    pub(crate) fn end(&self) {
        self.end.store(true, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How long the server has waited for its socket in total.
    pub(crate) fn waited(&self) -> Duration {
        let current = match self.waits_since.load(Ordering::Relaxed) {
            0 => 0,
            since => self.micros() - since,
        };
        Duration::from_micros(self.waited.load(Ordering::Relaxed) + current)
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
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
            let begun = self.micros();
            self.waits_since.store(begun, Ordering::Relaxed);
            socket.send(message(number, size)).await?;
            self.waits_since.store(0, Ordering::Relaxed);
            self.waited.fetch_add(self.micros() - begun, Ordering::Relaxed);
            self.sent.fetch_add(1, Ordering::Relaxed);
        }
        socket.close(CloseCode::NORMAL, "that was all").await.map(|_| ())
    }
}

/// Builds a message: its number, repeated to the end.
fn message(number: u64, size: usize) -> Vec<u8> {
    let mut message = number.to_be_bytes().repeat(size.div_ceil(8));
    message.truncate(size);
    message
}

/// Whether this is the message with that number, complete.
pub(crate) fn is_message(bytes: &[u8], number: u64, size: usize) -> bool {
    let number = number.to_be_bytes();
    bytes.len() == size && bytes.chunks(8).all(|part| number.starts_with(part))
}
