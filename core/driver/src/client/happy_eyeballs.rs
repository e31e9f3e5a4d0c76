//! Connecting to a host with several addresses (RFC 8305, "Happy Eyeballs"): attempts overlap, each
//! starts a little later than the one before.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::io::{BoxFuture, Clock};
use tidegate_core::Timestamp;

/// Connects to the first address that answers.
///
/// The next address is tried when one has failed, or when none has answered for [`DELAY`]. Older
/// attempts continue, at most [`MAX_CONCURRENT`] at the same time. The first success drops the
/// others. At most [`MAX_ADDRESSES`] are tried.
///
/// # Errors
///
/// Every address that was tried, with its error. The error is [`ErrorKind::TimedOut`] for an attempt
/// that was still running at the deadline or was dropped to start another one.
pub(crate) async fn connect_to_first<S>(
    clock: &mut impl Clock,
    deadline: Option<Timestamp>,
    addresses: Vec<SocketAddr>,
    connect: impl Fn(SocketAddr) -> BoxFuture<io::Result<S>>,
) -> Result<(SocketAddr, S), FailedAddresses> {
    let mut pending = interleave(addresses);
    let untried = pending.len().saturating_sub(MAX_ADDRESSES);
    // `pending` is reversed, so this removes the last addresses of the list.
    pending.drain(..untried);
    let mut race = Race {
        pending,
        untried,
        running: Vec::new(),
        failures: Vec::new(),
        next_start: Timestamp::ZERO,
    };
    poll_fn(|cx| race.poll(cx, clock, deadline, &connect)).await
}

/// All attempts to connect to the addresses of one host.
struct Race<S> {
    /// The addresses that are not tried yet, the next one last.
    pending: Vec<SocketAddr>,
    /// How many addresses will never be tried, because there were too many.
    untried: usize,
    /// The attempts that are running, oldest first.
    running: Vec<(SocketAddr, BoxFuture<io::Result<S>>)>,
    failures: Vec<(SocketAddr, io::Error)>,
    /// When the next address is tried if no attempt fails earlier.
    next_start: Timestamp,
}

/// What happened to the addresses when none could be connected to.
#[derive(Debug)]
pub(crate) struct FailedAddresses {
    /// The addresses that were tried, in the order in which they failed.
    pub(crate) attempts: Vec<(SocketAddr, io::Error)>,
    /// How many addresses were not tried.
    pub(crate) untried: usize,
}

impl<S> Race<S> {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        clock: &mut impl Clock,
        deadline: Option<Timestamp>,
        connect: impl Fn(SocketAddr) -> BoxFuture<io::Result<S>>,
    ) -> Poll<Result<(SocketAddr, S), FailedAddresses>> {
        loop {
            let failures = self.failures.len();
            // Before the clock is asked: if this task was late, an attempt that has succeeded
            // meanwhile must not be reported as too late.
            if let Some(winner) = self.poll_running(cx) {
                return Poll::Ready(Ok(winner));
            }
            let now = clock.now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                while !self.running.is_empty() {
                    // The error names these addresses too.
                    self.drop_oldest();
                }
                return Poll::Ready(Err(self.take_failures()));
            }
            let has_failed = self.failures.len() > failures;
            if (has_failed || self.running.is_empty() || self.next_start <= now)
                && let Some(address) = self.pending.pop()
            {
                if self.running.len() >= MAX_CONCURRENT {
                    self.drop_oldest();
                }
                self.running.push((address, connect(address)));
                self.next_start = now + DELAY;
                // The next round polls the new attempt. Until then it has not begun and holds no
                // waker.
                continue;
            }
            if self.running.is_empty() {
                return Poll::Ready(Err(self.take_failures()));
            }
            let next = (!self.pending.is_empty()).then_some(self.next_start);
            let Some(wake_at) = next.into_iter().chain(deadline).min() else {
                return Poll::Pending;
            };
            if clock.poll_deadline(cx, wake_at).is_pending() {
                return Poll::Pending;
            }
            if clock.now() < wake_at {
                // The timer fired too early and holds no waker any more: poll it again.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn drop_oldest(&mut self) {
        let (address, _) = self.running.remove(0);
        self.failures.push((address, ErrorKind::TimedOut.into()));
    }

    fn take_failures(&mut self) -> FailedAddresses {
        FailedAddresses {
            attempts: std::mem::take(&mut self.failures),
            untried: self.untried.saturating_add(self.pending.len()),
        }
    }

    /// Polls the running attempts. Returns the first that has connected, and moves the failed ones to
    /// `failures`.
    fn poll_running(&mut self, cx: &mut Context<'_>) -> Option<(SocketAddr, S)> {
        let mut winner = None;
        self.running.retain_mut(|(address, connecting)| {
            // The others are not polled any more. They are closed when the race is dropped.
            if winner.is_some() {
                return true;
            }
            match connecting.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(Ok(stream)) => {
                    winner = Some((*address, stream));
                    false
                }
                Poll::Ready(Err(error)) => {
                    self.failures.push((*address, error));
                    false
                }
            }
        });
        winner
    }
}

/// Orders the addresses so that IPv6 and IPv4 alternate, starting with the family that the resolver
/// put first (RFC 8305 §4). The result is reversed: the first address to try is the last element,
/// where `pop` finds it.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let count = addresses.len();
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut order = Vec::with_capacity(count);
    while order.len() < count {
        order.extend(first.next());
        order.extend(second.next());
    }
    order.reverse();
    order
}

/// How many addresses are tried at most. Real names have a handful; a name with thousands would keep
/// the client and its sockets busy until the timeout.
const MAX_ADDRESSES: usize = 32;

/// How many attempts run at the same time. The one that is dropped for the seventeenth has run for four
/// seconds, in which TCP has repeated its first packet twice (after one and three seconds).
const MAX_CONCURRENT: usize = 16;

/// "One recommended value for a default delay is 250 milliseconds" (RFC 8305 §5).
const DELAY: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::ManualClock;
    use std::cell::Cell;
    use std::rc::Rc;
    use std::sync::Mutex;
    use std::task::Waker;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect(text)
    }

    #[test]
    fn families_take_turns() {
        let order = |list: &[&str]| {
            let mut order = interleave(list.iter().map(|text| address(text)).collect());
            order.reverse();
            order.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            order(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]),
            ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]
        );
        assert_eq!(
            order(&["1.1.1.1:1", "1.1.1.2:1", "[::1]:1"]),
            ["1.1.1.1:1", "[::1]:1", "1.1.1.2:1"]
        );
        assert!(order(&[]).is_empty());
    }

    type RaceResult = Result<u8, Vec<(u8, ErrorKind)>>;

    /// Returns which addresses were tried at which millisecond, and the result, and checks that a
    /// timer that fires too early changes nothing. The last byte of an address says what it does: 1
    /// never answers, 2 refuses at once, 3 connects.
    fn race(list: &[&str], deadline: u64) -> (Vec<(u64, u8)>, RaceResult) {
        let [precise, early] = [false, true].map(|is_early| race_with(list, deadline, is_early));
        assert_eq!(precise, early, "the clock decides, the timer only wakes");
        precise
    }

    fn race_with(list: &[&str], deadline: u64, is_early: bool) -> (Vec<(u64, u8)>, RaceResult) {
        let last = |address: &SocketAddr| match address {
            SocketAddr::V4(address) => address.ip().octets()[3],
            SocketAddr::V6(address) => address.ip().octets()[15],
        };
        let now = Rc::new(Cell::new(Timestamp::ZERO));
        let mut clock = ManualClock { now: now.clone(), is_early };
        let tried = Mutex::new(Vec::new());
        let connect = |address: SocketAddr| -> BoxFuture<io::Result<u8>> {
            let kind = last(&address);
            tried.lock().expect("one thread").push((now.get().as_micros() / 1000, kind));
            Box::pin(async move {
                match kind {
                    1 => std::future::pending().await,
                    2 => Err(ErrorKind::ConnectionRefused.into()),
                    _ => Ok(kind),
                }
            })
        };
        let deadline = Timestamp::from_millis(deadline);
        let list = list.iter().map(|text| address(text)).collect();
        let mut running = Box::pin(connect_to_first(&mut clock, Some(deadline), list, connect));
        let outcome = loop {
            match running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(outcome) => break outcome,
                Poll::Pending => now.set(now.get() + Duration::from_millis(10)),
            }
        };
        drop(running);
        let outcome = outcome.map(|(_, kind)| kind).map_err(|failures| {
            let attempts = failures.attempts.iter();
            attempts.map(|(address, error)| (last(address), error.kind())).collect()
        });
        (tried.into_inner().expect("one thread"), outcome)
    }

    #[test]
    fn silence_and_refusal_do_not_stop_it() {
        let refused = (2, ErrorKind::ConnectionRefused);
        assert_eq!(race(&["[::3]:1", "1.1.1.1:1"], 900), (vec![(0, 3)], Ok(3)));
        assert_eq!(
            race(&["[::1]:1", "[::1]:2", "1.1.1.2:1", "1.1.1.3:1"], 900),
            (vec![(0, 1), (250, 2), (250, 1), (500, 3)], Ok(3))
        );
        assert_eq!(
            race(&["[::2]:1", "1.1.1.2:1"], 900),
            (vec![(0, 2), (0, 2)], Err(vec![refused, refused]))
        );
        assert_eq!(
            race(&["[::1]:1", "1.1.1.2:1", "1.1.1.1:1"], 300),
            (
                vec![(0, 1), (250, 2), (250, 1)],
                Err(vec![refused, (1, ErrorKind::TimedOut), (1, ErrorKind::TimedOut)])
            )
        );
    }
}
