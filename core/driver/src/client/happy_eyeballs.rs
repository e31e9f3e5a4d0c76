//! Several addresses at once, each a little later than the one before (RFC 8305, "Happy Eyeballs").

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::io::BoxFuture;
use crate::io::Clock;
use tidegate_core::Timestamp;

/// Connects to the first address that answers. The next one is tried when one has failed, or when
/// none has answered for [`DELAY`]; those under way go on, at most [`AT_ONCE`] of them. The others
/// are dropped when one has won. What is beyond [`MAX_ADDRESSES`] is not tried.
///
/// # Errors
///
/// Each address that was tried with what it failed with; [`ErrorKind::TimedOut`] those that were
/// under way at the deadline, or gave way to another.
pub(crate) async fn dial_any<S>(
    clock: &mut impl Clock,
    deadline: Option<Timestamp>,
    addresses: Vec<SocketAddr>,
    dial: impl Fn(SocketAddr) -> BoxFuture<io::Result<S>>,
) -> Outcome<S> {
    let mut waiting = interleave(addresses);
    let untried = waiting.len().saturating_sub(MAX_ADDRESSES);
    waiting.drain(..untried);
    let mut race =
        Race { waiting, untried, running: Vec::new(), failures: Vec::new(), next: Timestamp::ZERO };
    poll_fn(|cx| race.poll(cx, clock, deadline, &dial)).await
}

struct Race<S> {
    /// Those to be tried, the next one last.
    waiting: Vec<SocketAddr>,
    /// How many never will be.
    untried: usize,
    running: Vec<(SocketAddr, BoxFuture<io::Result<S>>)>,
    failures: Vec<(SocketAddr, io::Error)>,
    /// When the next one is tried, if none has failed before.
    next: Timestamp,
}

type Outcome<S> = Result<(SocketAddr, S), Failures>;

/// What became of the addresses when none could be connected to.
#[derive(Debug)]
pub(crate) struct Failures {
    /// Those that were tried, in the order in which they failed.
    pub(crate) attempts: Vec<(SocketAddr, io::Error)>,
    /// How many were not tried.
    pub(crate) untried: usize,
}

impl<S> Race<S> {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        clock: &mut impl Clock,
        deadline: Option<Timestamp>,
        dial: impl Fn(SocketAddr) -> BoxFuture<io::Result<S>>,
    ) -> Poll<Outcome<S>> {
        loop {
            let failures = self.failures.len();
            if let Some(winner) = self.poll_running(cx) {
                return Poll::Ready(Ok(winner));
            }
            let now = clock.now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                while !self.running.is_empty() {
                    self.give_up_oldest();
                }
                return Poll::Ready(Err(self.failures()));
            }
            let has_failed = self.failures.len() > failures;
            if (has_failed || self.running.is_empty() || self.next <= now)
                && let Some(address) = self.waiting.pop()
            {
                if self.running.len() >= AT_ONCE {
                    self.give_up_oldest();
                }
                self.running.push((address, dial(address)));
                self.next = now + DELAY;
                continue;
            }
            if self.running.is_empty() {
                return Poll::Ready(Err(self.failures()));
            }
            let next = (!self.waiting.is_empty()).then_some(self.next);
            let Some(alarm) = next.into_iter().chain(deadline).min() else { return Poll::Pending };
            if clock.poll_deadline(cx, alarm).is_pending() {
                return Poll::Pending;
            }
            if clock.now() < alarm {
                // The timer was early, and is asked again.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn give_up_oldest(&mut self) {
        let (address, _) = self.running.remove(0);
        self.failures.push((address, ErrorKind::TimedOut.into()));
    }

    fn failures(&mut self) -> Failures {
        Failures {
            attempts: std::mem::take(&mut self.failures),
            untried: self.untried.saturating_add(self.waiting.len()),
        }
    }

    /// Gives the first that has connected, and puts those aside that have failed.
    fn poll_running(&mut self, cx: &mut Context<'_>) -> Option<(SocketAddr, S)> {
        let mut winner = None;
        self.running.retain_mut(|(address, dialing)| {
            if winner.is_some() {
                return true;
            }
            match dialing.as_mut().poll(cx) {
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

/// Both families in turn, each in its order, beginning with the one that the resolver put first
/// (RFC 8305 §4). Reversed: the first to be tried is last.
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

/// How many addresses are tried. No service needs more: names have a handful of addresses, and one
/// with thousands would keep a client busy, and every socket of it, for as long as it waits.
pub(crate) const MAX_ADDRESSES: usize = 32;

/// How many of them at the same time. The one that gives way to the seventeenth has had four
/// seconds: its first packet was repeated after one and after three.
const AT_ONCE: usize = 16;

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

    type Ended = Result<u8, Vec<(u8, ErrorKind)>>;

    /// Which addresses were dialled when, and how it ended; the same with a timer that is early. The
    /// last byte of an address says what becomes of it: 1 never answers, 2 refuses at once, 3
    /// connects.
    fn race(list: &[&str], deadline: u64) -> (Vec<(u64, u8)>, Ended) {
        let [precise, early] = [false, true].map(|is_early| race_with(list, deadline, is_early));
        assert_eq!(precise, early, "the clock decides, the timer only wakes");
        precise
    }

    fn race_with(list: &[&str], deadline: u64, is_early: bool) -> (Vec<(u64, u8)>, Ended) {
        let last = |address: &SocketAddr| match address {
            SocketAddr::V4(address) => address.ip().octets()[3],
            SocketAddr::V6(address) => address.ip().octets()[15],
        };
        let now = Rc::new(Cell::new(Timestamp::ZERO));
        let mut clock = ManualClock { now: now.clone(), is_early };
        let dialled = Mutex::new(Vec::new());
        let dial = |address: SocketAddr| -> BoxFuture<io::Result<u8>> {
            let kind = last(&address);
            dialled.lock().expect("one thread").push((now.get().as_micros() / 1000, kind));
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
        let mut running = Box::pin(dial_any(&mut clock, Some(deadline), list, dial));
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
        (dialled.into_inner().expect("one thread"), outcome)
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
