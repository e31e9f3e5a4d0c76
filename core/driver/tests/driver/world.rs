//! A network of the test's own, with a clock of its own: names with many addresses, servers that
//! refuse, are silent, or answer once.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tidegate_core::Timestamp;
use tidegate_driver::{BoxFuture, ByteStream, Client, Clock, Network, Options, SocketOptions};

/// What becomes of one attempt to connect.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    Refused(ErrorKind),
    Silent,
    /// A server that says this, and then nothing; the stream stays open.
    Answers(String),
}

/// Addresses of every name, and what becomes of the attempts; of the last one forever.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) addresses: Vec<SocketAddr>,
    fates: Arc<Mutex<VecDeque<Fate>>>,
    pub(crate) dialled: Arc<Mutex<Vec<SocketAddr>>>,
    /// When, in microseconds.
    now: Arc<AtomicU64>,
    under_way: Arc<AtomicUsize>,
    pub(crate) most_under_way: Arc<AtomicUsize>,
}

impl World {
    pub(crate) fn new(addresses: Vec<SocketAddr>, fates: impl IntoIterator<Item = Fate>) -> Self {
        let fates = Arc::new(Mutex::new(fates.into_iter().collect()));
        Self { addresses, fates, ..Self::default() }
    }

    pub(crate) fn client(&self, options: Options) -> Client<Self> {
        Client::new(self.clone(), options)
    }

    pub(crate) fn now(&self) -> Duration {
        Duration::from_micros(self.now.load(Ordering::Relaxed))
    }

    /// Polls, 10 ms later each time, for an hour at most.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let end = self.now() + Duration::from_secs(3600);
        while self.now() < end {
            if let Poll::Ready(result) =
                future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            {
                return result;
            }
            self.now.fetch_add(10_000, Ordering::Relaxed);
        }
        panic!("it takes more than an hour");
    }
}

/// One that counts as long as it is there.
#[derive(Debug)]
struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Network for World {
    type Stream = Answer;
    type Tls = Answer;
    type Clock = Ticks;

    fn clock(&self) -> Ticks {
        Ticks(self.now.clone())
    }

    fn resolve(&self, _: String, _: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        let addresses = self.addresses.clone();
        Box::pin(async move { Ok(addresses) })
    }

    fn connect(&self, address: SocketAddr, _: SocketOptions) -> BoxFuture<io::Result<Answer>> {
        self.dialled.lock().unwrap().push(address);
        let mut fates = self.fates.lock().unwrap();
        let fate = match fates.len() {
            1 => fates[0].clone(),
            _ => fates.pop_front().unwrap(),
        };
        let guard = UnderWay(self.under_way.clone());
        let count = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_under_way.fetch_max(count, Ordering::Relaxed);
        Box::pin(async move {
            let _guard = guard;
            match fate {
                Fate::Refused(kind) => Err(kind.into()),
                Fate::Silent => std::future::pending().await,
                Fate::Answers(text) => Ok(Answer(text.into_bytes())),
            }
        })
    }

    fn has_tls(&self) -> bool {
        true
    }

    fn secure(&self, stream: Answer, _: &str) -> BoxFuture<io::Result<Answer>> {
        Box::pin(async move { Ok(stream) })
    }
}

/// A stream that takes everything, gives this, and stays open.
#[derive(Debug)]
pub(crate) struct Answer(Vec<u8>);

impl ByteStream for Answer {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.0.is_empty() {
            return Poll::Pending;
        }
        let count = self.0.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0.drain(..count);
        Poll::Ready(Ok(count))
    }

    fn poll_write(
        &mut self,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Ticks(Arc<AtomicU64>);

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }

    fn poll_deadline(&mut self, _: &mut Context<'_>, deadline: Timestamp) -> Poll<()> {
        if deadline <= self.now() { Poll::Ready(()) } else { Poll::Pending }
    }
}

pub(crate) fn addresses(count: u16) -> Vec<SocketAddr> {
    (0..count).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect()
}
