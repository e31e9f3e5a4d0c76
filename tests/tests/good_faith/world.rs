//! Virtual time, and pauses of our process, the peer's process and the link.

use core::cell::RefCell;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::rc::Rc;

use tidegate_core::Timestamp;
use tidegate_core::testing::Random;
use tidegate_driver::Clock;

use crate::link::{Link, Pipe};

/// Whose tasks are paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    /// Everything that runs in our process: the library and the application.
    Ours,
    /// The other program.
    Peer,
}

/// The state that all parts of a run share.
#[derive(Clone, Debug)]
pub(crate) struct World(pub(crate) Rc<RefCell<State>>);

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) now: Timestamp,
    pub(crate) random: Random,
    /// Our direction, and the peer's.
    pub(crate) pipes: [Pipe; 2],
    alarms: Vec<Option<(Timestamp, Waker)>>,
    pauses: Vec<(Party, Timestamp, Timestamp)>,
}

impl World {
    pub(crate) fn new(link: Link, seed: u64) -> Self {
        Self(Rc::new(RefCell::new(State {
            now: Timestamp::ZERO,
            random: Random::new(seed),
            pipes: [Pipe::new(link), Pipe::new(link)],
            alarms: Vec::new(),
            pauses: Vec::new(),
        })))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.borrow().now
    }

    pub(crate) fn below(&self, limit: usize) -> usize {
        self.0.borrow_mut().random.below(limit)
    }

    /// A clock with one alarm.
    pub(crate) fn clock(&self) -> Time {
        let mut state = self.0.borrow_mut();
        state.alarms.push(None);
        Time { world: self.clone(), alarm: state.alarms.len() - 1 }
    }

    /// Waits.
    pub(crate) async fn sleep(&self, time: Duration) {
        let mut clock = self.clock();
        let deadline = self.now() + time;
        core::future::poll_fn(|cx| clock.poll_deadline(cx, deadline)).await;
    }

    /// Pauses a process for a while, but not the kernels and the links.
    pub(crate) fn pause(&self, party: Party, from: Timestamp, time: Duration) {
        self.0.borrow_mut().pauses.push((party, from, from + time));
    }

    /// Pauses the link in both directions for a while.
    pub(crate) fn pause_link(&self, from: Timestamp, time: Duration) {
        for pipe in &mut self.0.borrow_mut().pipes {
            pipe.pauses.push((from, from + time));
        }
    }

    /// When this process continues; `None` if it is not paused.
    pub(crate) fn paused_until(&self, party: Party) -> Option<Timestamp> {
        let state = self.0.borrow();
        let is_now = |(paused, from, to): &&(Party, Timestamp, Timestamp)| {
            *paused == party && *from <= state.now && state.now < *to
        };
        state.pauses.iter().filter(is_now).map(|(_, _, to)| *to).max()
    }

    /// Moves the bytes that are due, and wakes the tasks that wait for them or for the time.
    pub(crate) fn deliver(&self) {
        let mut wakers = Vec::new();
        {
            let state = &mut *self.0.borrow_mut();
            let now = state.now;
            let [up, down] = &mut state.pipes;
            up.carry(now, down, &mut wakers);
            down.carry(now, up, &mut wakers);
            // The second direction may have reset the first.
            up.carry(now, down, &mut wakers);
            for alarm in &mut state.alarms {
                if let Some((_, waker)) = alarm.take_if(|(deadline, _)| *deadline <= now) {
                    wakers.push(waker);
                }
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Moves the time to the next thing that happens, or to `at_latest`. Returns false if nothing does.
    pub(crate) fn advance(&self, at_latest: Option<Timestamp>) -> bool {
        let mut state = self.0.borrow_mut();
        let now = state.now;
        let pipes = state.pipes.iter().filter_map(|pipe| pipe.next(now));
        let alarms = state.alarms.iter().flatten().map(|(deadline, _)| *deadline);
        let next = pipes.chain(alarms).chain(at_latest).filter(|next| *next > now).min();
        let Some(next) = next else { return false };
        state.now = next;
        true
    }
}

/// A clock with one alarm, which rings at the exact time.
#[derive(Debug)]
pub(crate) struct Time {
    world: World,
    alarm: usize,
}

/// A clone has its own alarm.
impl Clone for Time {
    fn clone(&self) -> Self {
        self.world.clock()
    }
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        self.world.now()
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()> {
        let state = &mut *self.world.0.borrow_mut();
        if deadline <= state.now {
            state.alarms[self.alarm] = None;
            return Poll::Ready(());
        }
        state.alarms[self.alarm] = Some((deadline, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Time {
    fn drop(&mut self) {
        self.world.0.borrow_mut().alarms[self.alarm] = None;
    }
}
