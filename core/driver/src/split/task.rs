//! The part of a split connection that owns the stream and the clock, and does the work.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::MutexGuard;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::error::Error;
use crate::event_loop::endpoint::Link;
use crate::event_loop::{Driven, Goal};
use crate::io::ByteStream;
use crate::io::Clock;
use crate::split::shared::{Alone, Shared, State, Task, Wait};
use crate::split::wakes::Wakes;
use crate::trace::{News, Seen};
use crate::websocket::closer::{Closer, Wish};
use tidegate_core::{Closed, Connection};

/// The future that drives a split connection: to be spawned, or polled beside something else.
///
/// It ends when the connection is over, with how it ended: what
/// [`WebSocket::close`](crate::WebSocket::close) would return. To abandon it is to abandon
/// the connection: dropped before its end, it closes the stream at once, without a closing
/// handshake, and the other parts get errors; what was decoded can still be received. If a handler
/// of [`serve`](fn@crate::serve) returns with it, the server sees the connection to its end.
#[must_use = "nothing moves unless it is spawned or polled"]
pub struct Driver<S, C> {
    /// `None` once the parts are one again.
    pub(crate) alone: Option<Alone<S, C>>,
    pub(crate) shared: Arc<Shared>,
}

impl<S, C> Driver<S, C> {
    pub(crate) const fn new(alone: Alone<S, C>, shared: Arc<Shared>) -> Self {
        Self { alone: Some(alone), shared }
    }
}

impl<S: ByteStream, C: Clock> Driver<S, C> {
    /// A clock, and how long closing may take.
    pub(crate) fn limit(&self) -> Option<(C, Option<Duration>)> {
        let clock = self.alone.as_ref()?.link.clock.clone();
        Some((clock, self.shared.lock().connection.config().close_timeout()))
    }
}

impl<S: ByteStream, C: Clock> Future for Driver<S, C> {
    type Output = Result<Closed, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { alone, shared } = &mut *self;
        // Without a link there is nothing to wait for: it was given to another owner.
        let Some(Alone { link, closer, home, seen }) = alone else { return Poll::Pending };
        // Dropped last, when the lock is released.
        let mut last = Task::Gone;
        let mut turn = Turn {
            link,
            closer: closer.as_ref(),
            seen,
            shared,
            guard: None,
            news: News::default(),
        };
        let task = &mut turn.state().task;
        let waker = match std::mem::replace(task, Task::Awake { is_notified: false }) {
            Task::Asleep(waker) if waker.will_wake(cx.waker()) => waker,
            task @ (Task::Asleep(_) | Task::Awake { .. } | Task::Gone | Task::Reunited) => {
                last = task;
                cx.waker().clone()
            }
        };
        let ended = turn.poll_until(cx, Turn::serve);
        // Since the last look at what the others want the lock was not released.
        turn.state().task = if ended.is_pending() { Task::Asleep(waker) } else { Task::Gone };
        let Turn { link, seen, news, guard, .. } = turn;
        drop(guard);
        // Subscribers are the application's: they run without the lock.
        seen.tell(news);
        drop(last);
        if link.stream.is_none() {
            // A server counts the connection no longer.
            *home = None;
        }
        ended
    }
}

impl<S, C> Drop for Driver<S, C> {
    fn drop(&mut self) {
        let mut alone = self.alone.take();
        if let Some(mut left) = alone.take_if(Alone::is_left_to_server)
            && let Some(way) = left.home.take()
        {
            way.bring_parts(Self::new(left, Arc::clone(&self.shared)));
            return;
        }
        if let Some(alone) = &mut alone {
            alone.link.stream = None;
        }
        let mut wakes = Wakes::default();
        let mut state = self.shared.lock();
        if matches!(state.task, Task::Reunited) {
            return;
        }
        let last = std::mem::replace(&mut state.task, Task::Gone);
        state.connection.abort();
        state.close = None;
        state.link.is_open = false;
        if state.is_discarding {
            state.discard(&mut wakes);
        }
        state.accept_waiting(&mut wakes);
        state.wake_waiting(&mut wakes);
        drop(state);
        wakes.wake();
        drop(last);
    }
}

impl<S, C> fmt::Debug for Driver<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

/// One poll: the link, and the connection while it is locked.
struct Turn<'a, S, C> {
    link: &'a mut Link<S, C>,
    closer: Option<&'a Closer>,
    seen: &'a mut Seen,
    shared: &'a Shared,
    guard: Option<MutexGuard<'a, State>>,
    /// What is to be told when the lock is released.
    news: News,
}

impl<S: ByteStream, C: Clock> Turn<'_, S, C> {
    fn state(&mut self) -> &mut State {
        let shared = self.shared;
        self.guard.get_or_insert_with(|| shared.lock())
    }

    /// What comes after output was offered: wishes of the application, room for more, and those who
    /// wait for what has happened.
    fn serve(&mut self) -> Goal<Result<Closed, Error>> {
        let Self { link, shared, guard, .. } = self;
        let state = guard.get_or_insert_with(|| shared.lock());
        let mut wakes = Wakes::default();
        state.note(link);
        // It is told now.
        state.is_untold = false;
        let mut has_moved = state.carry_out(link);
        if state.is_discarding {
            has_moved |= state.discard(&mut wakes);
        }
        has_moved |= state.accept_waiting(&mut wakes);
        state.wake_waiting(&mut wakes);
        let verdict = state.verdict();
        // The others get at the connection between two rounds.
        *guard = None;
        wakes.wake();
        match verdict {
            Some(verdict) => Goal::Done(verdict),
            None if self.state().take_notified() || has_moved => Goal::Again,
            None => Goal::Wait,
        }
    }
}

impl<S: ByteStream, C: Clock> Driven for Turn<'_, S, C> {
    type Stream = S;
    type Clock = C;
    type Machine = Connection;

    fn parts(&mut self) -> (&mut Link<S, C>, &mut Connection) {
        let shared = self.shared;
        let state = self.guard.get_or_insert_with(|| shared.lock());
        (self.link, &mut state.connection)
    }

    fn before(&mut self, cx: &mut Context<'_>) {
        let Some(closer) = self.closer else { return };
        match closer.take_wish(cx) {
            Wish::Cut if self.link.stream.is_some() => {
                self.state().connection.abort();
                self.link.stream = None;
            }
            Wish::Close(frame) => {
                let mut wakes = Wakes::default();
                self.state().begin_close(frame, &mut wakes);
                // The driver is at work: it is nobody else that has to be woken.
                drop(wakes);
            }
            Wish::Cut | Wish::None => {}
        }
    }

    fn after(&mut self) {
        let shared = self.shared;
        let state = self.guard.get_or_insert_with(|| shared.lock());
        self.news = self.seen.look(&state.connection, self.link.fault.as_ref());
    }
}

impl State {
    /// Does what needs the time. Whether that changed anything.
    fn carry_out<S: ByteStream, C: Clock>(&mut self, link: &mut Link<S, C>) -> bool {
        let is_closed = match self.close.take() {
            Some(frame) => self.connection.close(link.clock.now(), frame).is_ok(),
            None => false,
        };
        is_closed | (!self.waits.is_empty() && self.ping(link)) | self.release_end(link)
    }

    /// An application that sends and does not receive is told of the end all the same.
    fn release_end<S: ByteStream, C: Clock>(&mut self, link: &mut Link<S, C>) -> bool {
        if !self.connection.is_end_queued() {
            return false;
        }
        match self.end_wait.check(&mut self.connection, link.clock.now()) {
            Ok(is_released) => is_released,
            Err(due) => {
                link.alarm = Some(link.alarm.map_or(due, |alarm| alarm.min(due)));
                false
            }
        }
    }

    /// Answers those whose pong came, or will not, and sends one ping for all who wait for one.
    fn ping<S: ByteStream, C: Clock>(&mut self, link: &mut Link<S, C>) -> bool {
        // Otherwise it is behind messages that the application has not taken.
        let can_come = self.connection.is_gate_open() && !self.connection.is_end_queued();
        let mut is_wanted = false;
        for place in self.waits.iter_mut() {
            match &mut place.value {
                Wait::Pong { number, .. } if self.connection.is_ping_answered(*number) => {
                    place.value = Wait::Answered(self.connection.latency());
                }
                Wait::Pong { .. } if !can_come => place.value = Wait::Answered(None),
                Wait::Pong { limit: Some(limit), has_looked, .. } => {
                    let now = link.clock.now();
                    if *limit > now {
                        link.alarm = Some(link.alarm.map_or(*limit, |alarm| alarm.min(*limit)));
                    } else if *has_looked {
                        place.value = Wait::Answered(None);
                    } else {
                        // The pong may be there: a driver that comes late reads first.
                        *has_looked = true;
                        link.alarm = Some(now);
                    }
                }
                Wait::Ping => is_wanted = true,
                Wait::Pong { limit: None, .. }
                | Wait::Written { .. }
                | Wait::Answered(_)
                | Wait::End => {}
            }
        }
        is_wanted && self.send_ping(link)
    }

    fn send_ping<S: ByteStream, C: Clock>(&mut self, link: &mut Link<S, C>) -> bool {
        self.pings += 1;
        let now = link.clock.now();
        // As many as wait already have to go out first; behind a Close none can, and all are told.
        let Ok(number) = self.connection.ping(now, self.pings.to_be_bytes().to_vec()) else {
            return false;
        };
        let limit = self.connection.config().pong_timeout().map(|limit| now + limit);
        for place in self.waits.iter_mut() {
            if let Wait::Ping = place.value {
                place.value = Wait::Pong { number, limit, has_looked: false };
            }
        }
        true
    }

    /// Wakes whoever has something to look at.
    fn wake_waiting(&mut self, wakes: &mut Wakes) {
        if self.receiver.is_some() && self.has_news() {
            wakes.push(self.receiver.take());
        }
        if self.waits.is_empty() {
            return;
        }
        let mut waits = std::mem::take(&mut self.waits);
        for place in waits.iter_mut() {
            if place.waker.is_some() && self.answer(&place.value).is_some() {
                wakes.push(place.waker.take());
            }
        }
        self.waits = waits;
    }
}
