//! A network of the test's own, with a clock of its own: names with many addresses, servers that
//! refuse, are silent, or answer once.

use alloc::sync::Arc;
use core::error::Error as _;
use core::net::SocketAddr;
use core::pin::pin;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::Mutex;

use tidegate_core::Timestamp;
use tidegate_core::driver::{
    BoxFuture, ByteStream, Client, Clock, ConnectFault, Error, Network, Options, RedirectError,
    SocketOptions,
};

/// What becomes of one attempt to connect.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    Refused(ErrorKind),
    Silent,
    /// A server that says this, and then nothing; the stream stays open.
    Answers(String),
}

/// Addresses of every name, and what becomes of the attempts; of the last one for ever.
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

    fn dial(&self, address: SocketAddr, _: SocketOptions) -> BoxFuture<io::Result<Answer>> {
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
                Fate::Silent => core::future::pending().await,
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

/// A name of the attacker's with as many addresses as one answer of a name server has room for.
#[test]
fn a_name_with_sixty_thousand_addresses_is_tried_at_a_few() {
    let world = World::new(addresses(60_000), [Fate::Refused(ErrorKind::ConnectionRefused)]);
    let error = world.run(world.client(Options::new()).connect("ws://many.test/")).unwrap_err();
    let Error::Connect(error) = error else { panic!("{error:?}") };
    assert_eq!((error.attempts().len(), error.untried()), (32, 60_000 - 32));
    assert_eq!(*world.dialled.lock().unwrap(), addresses(32));
    let text = error.to_string();
    assert!(text.contains("24 more that failed; 59968 more that were not tried"), "{text}");
    assert!(text.len() < 1000, "{} bytes", text.len());
    assert_eq!(world.now(), Duration::ZERO, "a refusal is not waited for");
}

/// The families take turns before the list is cut.
#[test]
fn both_families_are_among_the_addresses_that_are_tried() {
    let mut many = addresses(100);
    many.extend((0..100).map(|port| SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port))));
    let world = World::new(many, [Fate::Refused(ErrorKind::ConnectionRefused)]);
    world.run(world.client(Options::new()).connect("ws://many.test/")).unwrap_err();
    let dialled = world.dialled.lock().unwrap();
    assert_eq!(dialled.iter().filter(|address| address.is_ipv6()).count(), 16);
}

#[test]
fn addresses_that_are_silent_hold_a_bounded_number_of_sockets() {
    let world = World::new(addresses(1000), [Fate::Silent]);
    let error = world.run(world.client(Options::new()).connect("ws://many.test/")).unwrap_err();
    let Error::Connect(error) = error else { panic!("{error:?}") };
    assert!(matches!(error.fault(), ConnectFault::TimedOut), "{error}");
    assert_eq!((error.attempts().len(), error.untried()), (32, 968));
    assert_eq!(world.most_under_way.load(Ordering::Relaxed), 16);
    assert!(error.to_string().len() < 1000);
    assert_eq!(world.now(), Duration::from_secs(30), "the timeout of the options");
}

/// The kind of the fault is found by following the chain, whatever is around it.
#[test]
fn a_refused_connection_leads_to_the_error_of_the_system() {
    for (fates, count) in [
        (vec![Fate::Refused(ErrorKind::ConnectionRefused)], 1),
        (vec![Fate::Refused(ErrorKind::ConnectionRefused)], 3),
        (
            vec![
                Fate::Refused(ErrorKind::NetworkUnreachable),
                Fate::Refused(ErrorKind::ConnectionRefused),
            ],
            2,
        ),
    ] {
        let world = World::new(addresses(count), fates.clone());
        let error = world.run(world.client(Options::new()).connect("ws://a.test/")).unwrap_err();
        let mut chain = vec![error.to_string()];
        let mut kinds = Vec::new();
        let mut source = error.source();
        while let Some(error) = source {
            chain.push(error.to_string());
            kinds.extend(error.downcast_ref::<io::Error>().map(io::Error::kind));
            source = error.source();
        }
        assert_eq!(kinds, [ErrorKind::ConnectionRefused], "{fates:?}");
        let chain = chain.join(": ");
        assert_eq!(chain.matches("refused").count(), 1, "{chain}");
        assert_eq!(chain.matches("127.0.0.1:0").count(), 1, "{chain}");
    }
}

fn redirection(locations: &[&str], rest: &str) -> Fate {
    let fields: String =
        locations.iter().map(|location| format!("Location: {location}\r\n")).collect();
    Fate::Answers(format!("HTTP/1.1 302 Found\r\n{fields}{rest}\r\n"))
}

/// Where to go is known when the head is there. The body, and the end of the stream, may never come.
#[test]
fn a_redirection_is_followed_when_its_head_is_there() {
    for rest in ["Content-Length: 10\r\n", "", "Transfer-Encoding: chunked\r\n"] {
        let refused = Fate::Refused(ErrorKind::ConnectionRefused);
        let hops = [redirection(&["/b"], rest), redirection(&["/c"], rest), refused];
        let world = World::new(addresses(1), hops);
        let client = world.client(Options::new().redirects(2));
        let error = world.run(client.connect("ws://a.test/")).unwrap_err();
        assert!(matches!(error, Error::Connect(_)), "{error:?}");
        assert_eq!(world.dialled.lock().unwrap().len(), 3, "two hops");
        assert_eq!(world.now(), Duration::ZERO, "{rest:?}");
    }
}

/// Proxies and libraries differ in which of them they take: two servers would be meant.
#[test]
fn a_redirection_to_two_places_is_not_followed() {
    for (locations, expected) in [
        (&["/b", "/c"][..], Some(RedirectError::Ambiguous)),
        (&["/b", "/b", "http://evil.test/"], Some(RedirectError::Ambiguous)),
        (&["/b", "/b"], None),
        (&[], Some(RedirectError::Location)),
    ] {
        let refused = Fate::Refused(ErrorKind::ConnectionRefused);
        let world = World::new(addresses(1), [redirection(locations, ""), refused]);
        let client = world.client(Options::new().redirects(2));
        let Error::Connect(error) = world.run(client.connect("ws://a.test/")).unwrap_err() else {
            panic!("{locations:?}")
        };
        match (error.fault(), expected) {
            (ConnectFault::Redirect(why), Some(expected)) => assert_eq!(*why, expected),
            (ConnectFault::Unreachable, None) => {}
            (other, _) => panic!("{locations:?}: {other}"),
        }
    }
}
