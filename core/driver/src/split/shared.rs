//! What the parts of a split connection share: the connection, and who waits for what.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use crate::error::Error;
use crate::event_loop::end_wait::EndWait;
use crate::event_loop::endpoint::Link;
use crate::io::ByteStream;
use crate::io::Clock;
use crate::split::OnDrop;
use crate::split::acceptance::WaitingItem;
use crate::split::wait_queue::WaitQueue;
use crate::split::wakes::Wakes;
use crate::trace::Seen;
use crate::websocket::chunks::Intake;
use crate::websocket::close::{copy, is_cause_known, reason};
use crate::websocket::closer::Closer;
use crate::websocket::home::WayHome;
use crate::websocket::{End, WebSocket};
use tidegate_core::{CloseCode, CloseFrame, Config, Connection, Event, Timestamp, Transport};

/// The shared state under its lock, which is held for as long as a call of the core takes and never
/// while something is awaited.
pub(crate) struct Shared(Mutex<State>);

pub(crate) struct State {
    pub(crate) connection: Connection,
    pub(crate) subprotocol: Option<Box<str>>,
    pub(crate) pings: u64,
    pub(crate) end: End,
    pub(crate) intake: Intake,
    pub(crate) link: LinkState,
    pub(crate) task: Task,

    /// The task that waits in the [`Receiver`](crate::split::Receiver).
    pub(crate) receiver: Option<Waker>,
    pub(crate) has_receiver: bool,
    pub(crate) on_receiver_drop: OnDrop,
    pub(crate) senders: usize,
    pub(crate) on_senders_drop: OnDrop,

    /// What waits for room in the outbox.
    pub(crate) sends: WaitQueue<WaitingItem>,
    /// What waits for something else.
    pub(crate) waits: WaitQueue<Wait>,
    /// The Close that the driver is to begin with: it has the time for it.
    pub(crate) close: Option<CloseFrame>,
    pub(crate) end_wait: EndWait,
    /// Nobody wants messages any more.
    pub(crate) is_discarding: bool,
    /// The sender whose message in chunks is not finished.
    pub(crate) chunks_of: Option<u64>,
    /// Something concerns the driver, and it was not woken.
    pub(crate) is_untold: bool,
    /// Bytes of data that the outbox has accepted.
    pub(crate) accepted: u64,
    next: u64,
    /// Of a server's connection: it may know better how to close it.
    closer: Option<Closer>,
}

/// What the driver has for itself.
pub(crate) struct Alone<S, C> {
    pub(crate) link: Link<S, C>,
    pub(crate) closer: Option<Closer>,
    /// It goes when the stream does.
    pub(crate) home: Option<WayHome<S, C>>,
    pub(crate) seen: Seen,
}

impl<S, C> Alone<S, C> {
    /// Whether a server sees to the rest, if this is dropped.
    pub(crate) fn is_left_to_server(&mut self) -> bool {
        self.link.stream.is_some()
            && self.home.is_some()
            && self.closer.as_ref().is_some_and(Closer::is_left_to_server)
    }
}

/// How the link stood when the driver last looked.
#[derive(Debug, Default)]
pub(crate) struct LinkState {
    pub(crate) is_open: bool,
    pub(crate) has_write_failed: bool,
    pub(crate) is_flushed: bool,
    fault: Option<io::Error>,
}

/// The driver.
#[derive(Debug)]
pub(crate) enum Task {
    /// It is being polled, or has not been yet; whether it has to look again.
    Awake { is_notified: bool },
    /// It waits.
    Asleep(Waker),
    /// It is no more.
    Gone,
    /// All parts are one again.
    Reunited,
}

/// What else is waited for.
#[derive(Debug)]
pub(crate) enum Wait {
    /// That everything is written that was accepted when `accepted` bytes had been.
    Written { accepted: u64 },
    /// The pong to a ping, which is still to be sent.
    Ping,
    /// The pong to the ping of this number, in time.
    Pong { number: u32, limit: Option<Timestamp>, has_looked: bool },
    /// It came, or it will not.
    Answered(Option<Duration>),
    /// The end of the connection.
    End,
}

/// What of the connection concerns the driver: it has to be woken when this changes.
#[derive(PartialEq, Eq)]
struct Needs {
    input: bool,
    output: bool,
    transport: Transport,
    timeout: Option<Timestamp>,
    is_decided: bool,
}

impl Shared {
    pub(crate) fn new<S: ByteStream, C: Clock>(mut socket: WebSocket<S, C>) -> (Self, Alone<S, C>) {
        // What is left of the socket is dropped: it has neither a stream nor a way home.
        let alone = Alone {
            link: socket.link.take_out(),
            closer: socket.closer.clone(),
            home: socket.home.take(),
            seen: socket.seen.take_out(),
        };
        let state = State {
            subprotocol: socket.subprotocol.take(),
            pings: socket.pings,
            end: socket.end,
            intake: std::mem::take(&mut socket.intake),
            closer: socket.closer.take(),
            ..State::new(socket.take_connection())
        };
        (Self(Mutex::new(state)), alone)
    }

    /// Code of the application that panics under the lock, a stream's or a waker's, does so between
    /// two steps of the connection: the state is whole, and the others go on.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and wakes the driver if that concerns it.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State, &mut Wakes) -> T) -> T {
        let mut wakes = Wakes::default();
        let mut state = self.lock();
        let before = state.needs_if_it_sleeps();
        let value = change(&mut state, &mut wakes);
        if state.is_untold || before.is_some_and(|before| state.needs() != before) {
            state.notify(&mut wakes);
        }
        drop(state);
        wakes.wake();
        value
    }

    /// Changes something of which the driver is told when more is done, or at once if `change` does
    /// so itself.
    pub(crate) fn with_quietly<T>(&self, change: impl FnOnce(&mut State, &mut Wakes) -> T) -> T {
        let mut wakes = Wakes::default();
        let mut state = self.lock();
        let before = state.needs_if_it_sleeps();
        let value = change(&mut state, &mut wakes);
        state.is_untold |= before.is_some_and(|before| state.needs() != before);
        drop(state);
        wakes.wake();
        value
    }
}

impl State {
    fn new(connection: Connection) -> Self {
        Self {
            connection,
            subprotocol: None,
            pings: 0,
            end: End::Ahead,
            intake: Intake::default(),
            link: LinkState::default(),
            task: Task::Awake { is_notified: true },
            receiver: None,
            has_receiver: true,
            on_receiver_drop: OnDrop::Close,
            senders: 1,
            on_senders_drop: OnDrop::Continue,
            sends: WaitQueue::default(),
            waits: WaitQueue::default(),
            close: None,
            end_wait: EndWait::default(),
            is_discarding: false,
            chunks_of: None,
            is_untold: false,
            accepted: 0,
            next: 1,
            closer: None,
        }
    }

    /// Takes it out, for the parts that become one again. Those that are left do nothing more.
    pub(crate) fn take(&mut self) -> Self {
        let nothing = Connection::server(Timestamp::ZERO, Config::default());
        std::mem::replace(self, Self { task: Task::Reunited, ..Self::new(nothing) })
    }

    /// A number that is higher than all before it: of a sender, or of one who waits.
    pub(crate) fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// What concerns the driver, unless it is going to look anyway, or there is none any more.
    #[inline]
    fn needs_if_it_sleeps(&self) -> Option<Needs> {
        match self.task {
            Task::Awake { is_notified: true } | Task::Gone | Task::Reunited => None,
            Task::Awake { is_notified: false } | Task::Asleep(_) => Some(self.needs()),
        }
    }

    /// The driver has to look. Many changes until it does make one wake-up.
    pub(crate) fn notify(&mut self, wakes: &mut Wakes) {
        self.is_untold = false;
        match &mut self.task {
            Task::Awake { is_notified } => *is_notified = true,
            task @ Task::Asleep(_) => {
                if let Task::Asleep(waker) =
                    std::mem::replace(task, Task::Awake { is_notified: true })
                {
                    wakes.push(Some(waker));
                }
            }
            Task::Gone | Task::Reunited => {}
        }
    }

    /// Whether the driver has to look again, before it goes to sleep.
    pub(crate) fn take_notified(&mut self) -> bool {
        match &mut self.task {
            Task::Awake { is_notified } => std::mem::take(is_notified),
            Task::Asleep(_) | Task::Gone | Task::Reunited => false,
        }
    }

    /// Notes how the link stands.
    pub(crate) fn note<S: ByteStream, C: Clock>(&mut self, link: &Link<S, C>) {
        let noted = &mut self.link;
        noted.is_open = link.stream.is_some();
        // Not before it is known why: the peer's Close, or its fault, may be still to be read.
        noted.has_write_failed = link.has_write_failed() && is_cause_known(&self.connection);
        noted.is_flushed = link.is_flushed();
        if noted.fault.is_none() {
            noted.fault = link.fault.as_ref().map(copy);
        }
    }

    pub(crate) const fn written_from_here(&self) -> Wait {
        Wait::Written { accepted: self.accepted }
    }

    /// What one who waits gets, if it is there.
    pub(crate) fn answer(&self, wait: &Wait) -> Option<Result<Option<Duration>, Error>> {
        match wait {
            Wait::Written { accepted } => self.written(*accepted).map(|done| done.map(|()| None)),
            Wait::Ping | Wait::Pong { .. } => self.cannot_write().then(|| Err(self.cannot_send())),
            Wait::Answered(latency) => Some(Ok(*latency)),
            Wait::End => self.outcome().map(|outcome| outcome.map(|_| None)),
        }
    }

    /// Whether everything is written that had been accepted then. Others may go on sending.
    fn written(&self, accepted: u64) -> Option<Result<(), Error>> {
        if self.link.has_write_failed {
            return Some(Err(self.cannot_send()));
        }
        let connection = &self.connection;
        let is_empty = !connection.wants_output() && self.link.is_flushed;
        let is_written = if self.is_closing() {
            // The Close too; nothing comes behind it.
            is_empty && self.close.is_none()
        } else {
            // What waits is no more than what came since. (Control frames on their way count as
            // data here: it may take a little longer, and ends as surely.)
            let since = self.accepted - accepted;
            is_empty || (connection.wants_output() && connection.queued_output() as u64 <= since)
        };
        if !is_written {
            return (!self.link.is_open).then(|| Err(self.cannot_send()));
        }
        // What a failed connection had left was thrown away, not written.
        match connection.closed() {
            Some(closed) if !closed.is_clean() => Some(Err(self.cannot_send())),
            _ => Some(Ok(())),
        }
    }

    /// Begins the closing handshake, if nobody has. The driver does it: it knows the time.
    pub(crate) fn begin_close(&mut self, frame: CloseFrame, wakes: &mut Wakes) {
        if !self.is_closing() {
            self.close = Some(frame);
            self.notify(wakes);
        }
    }

    /// One of the two sides of the application is gone.
    pub(crate) fn on_drop(&mut self, choice: OnDrop, wakes: &mut Wakes) {
        if matches!(self.task, Task::Reunited) {
            return;
        }
        let is_last = !self.has_receiver && self.senders == 0;
        if !self.has_receiver {
            self.discard(wakes);
        }
        match choice {
            OnDrop::Abort => self.connection.abort(),
            OnDrop::Continue if !is_last => {}
            OnDrop::Close | OnDrop::Continue
                if self.closer.as_ref().is_some_and(Closer::is_left_to_server) => {}
            OnDrop::Close | OnDrop::Continue => {
                self.begin_close(CloseFrame::from(CloseCode::GOING_AWAY), wakes);
            }
        }
        self.notify(wakes);
    }

    /// Drops the messages that are there and those that will come, the former when the lock is
    /// released. Whether there were any.
    pub(crate) fn discard(&mut self, wakes: &mut Wakes) -> bool {
        self.is_discarding = true;
        let mut is_any = false;
        while let Some(event) = self.take_event() {
            self.intake.discard(&event);
            wakes.drop_later(event);
            is_any = true;
        }
        is_any
    }

    /// The next event but the last, which is only noted.
    pub(crate) fn take_event(&mut self) -> Option<Event> {
        match self.connection.poll_event() {
            Some(Event::Closed(_)) => {
                self.end = End::Drained;
                None
            }
            event => event,
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.close.is_some() || self.connection.is_closing()
    }

    pub(crate) fn cannot_write(&self) -> bool {
        self.is_closing() || !self.is_writable()
    }

    /// Whether the stream may still take something.
    pub(crate) const fn is_writable(&self) -> bool {
        self.link.is_open && !self.link.has_write_failed
    }

    pub(crate) fn cannot_send(&self) -> Error {
        reason(&self.connection, self.link.fault.as_ref())
    }

    /// Not inlined: most calls find the driver about to look, and need only the match above.
    #[inline(never)]
    fn needs(&self) -> Needs {
        Needs {
            input: self.connection.wants_input(),
            output: self.connection.wants_output(),
            transport: self.connection.transport(),
            timeout: self.connection.poll_timeout(),
            is_decided: self.connection.closed().is_some(),
        }
    }
}
