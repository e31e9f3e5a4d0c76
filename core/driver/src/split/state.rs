//! The state of a split connection that all its parts work on.

use std::io;
use std::task::Waker;

use crate::error::{Error, copy};
use crate::event_loop::Endpoint;
use crate::io::{ByteStream, Clock};
use crate::split::driver_task::{DriverNeeds, DriverTask};

use crate::split::on_drop::OnDrop;
use crate::split::send_item::WaitingItem;
use crate::split::wait_for::WaitFor;
use crate::split::wait_queue::WaitQueue;
use crate::split::wakes::Wakes;
use crate::websocket::{ChunkAssembly, Closer, EndProgress, QueuedEndTimeout, WebSocket};
use crate::websocket::{is_cause_known, reason};
use tidegate_core::{CloseCode, CloseFrame, Config, Connection, Event, Timestamp};

pub(crate) struct SplitState {
    pub(crate) connection: Connection,
    pub(crate) subprotocol: Option<Box<str>>,
    pub(crate) pings: u64,
    pub(crate) end: EndProgress,
    pub(crate) assembly: ChunkAssembly,
    pub(crate) stream: StreamStatus,
    pub(crate) driver: DriverTask,

    /// The task that waits in the [`Receiver`](crate::split::Receiver).
    pub(crate) receiver: Option<Waker>,
    pub(crate) has_receiver: bool,
    pub(crate) on_receiver_drop: OnDrop,
    pub(crate) senders: usize,
    pub(crate) on_senders_drop: OnDrop,

    /// The calls that wait for room in the outbox.
    pub(crate) sends: WaitQueue<WaitingItem>,
    /// The calls that wait for something else.
    pub(crate) waits: WaitQueue<WaitFor>,
    /// The Close with which the driver is to begin the closing handshake. The driver does it,
    /// because only the driver has a clock.
    pub(crate) close: Option<CloseFrame>,
    pub(crate) queued_end_timeout: QueuedEndTimeout,
    /// Messages are dropped when they arrive.
    pub(crate) is_discarding: bool,
    /// The sender whose message in chunks is not finished.
    pub(crate) chunks_of: Option<u64>,
    /// Something has changed that the driver must act on, and it was not woken for that yet.
    pub(crate) is_untold: bool,
    /// Bytes of data that the outbox has accepted so far.
    pub(crate) accepted: u64,
    last_number: u64,
    /// Present if a server gave the connection to a handler: the server may choose the close code.
    closer: Option<Closer>,
}

/// The stream, as the driver saw it last: the other parts cannot look at it themselves.
#[derive(Debug, Default)]
pub(crate) struct StreamStatus {
    pub(crate) is_open: bool,
    pub(crate) has_write_failed: bool,
    pub(crate) is_flushed: bool,
    fault: Option<io::Error>,
}

impl SplitState {
    /// Moves everything out of the socket that the driver does not keep for itself.
    pub(crate) fn from_socket<S: ByteStream, C: Clock>(socket: &mut WebSocket<S, C>) -> Self {
        Self {
            subprotocol: socket.subprotocol.take(),
            pings: socket.pings,
            end: socket.end,
            assembly: std::mem::take(&mut socket.assembly),
            closer: socket.closer.take(),
            ..Self::new(socket.take_connection())
        }
    }

    fn new(connection: Connection) -> Self {
        Self {
            connection,
            subprotocol: None,
            pings: 0,
            end: EndProgress::EventsLeft,
            assembly: ChunkAssembly::default(),
            stream: StreamStatus::default(),
            // As if notified: the first poll of the driver looks at everything, so no call before
            // it has to wake anything.
            driver: DriverTask::Awake { is_notified: true },
            receiver: None,
            has_receiver: true,
            on_receiver_drop: OnDrop::Close,
            senders: 1,
            on_senders_drop: OnDrop::Continue,
            sends: WaitQueue::default(),
            waits: WaitQueue::default(),
            close: None,
            queued_end_timeout: QueuedEndTimeout::default(),
            is_discarding: false,
            chunks_of: None,
            is_untold: false,
            accepted: 0,
            last_number: 1,
            closer: None,
        }
    }

    /// Moves everything out for a `WebSocket` that is put together again. The parts that are left do
    /// nothing any more.
    pub(crate) fn take(&mut self) -> Self {
        let nothing = Connection::server(Timestamp::ZERO, Config::default());
        std::mem::replace(self, Self { driver: DriverTask::Reunited, ..Self::new(nothing) })
    }

    /// Gives a number for a new sender, or for a call that begins to wait. Numbers rise.
    pub(crate) fn next(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// What the driver acts on; `None` if it is going to look anyway, or is gone.
    #[inline(always)]
    pub(crate) fn needs_if_it_sleeps(&self) -> Option<DriverNeeds> {
        match self.driver {
            DriverTask::Awake { is_notified: true } | DriverTask::Gone | DriverTask::Reunited => {
                None
            }
            DriverTask::Awake { is_notified: false } | DriverTask::Asleep(_) => {
                Some(DriverNeeds::of(&self.connection))
            }
        }
    }

    /// Makes the driver run another round. Many changes before that round cost one wake-up.
    pub(crate) fn notify(&mut self, wakes: &mut Wakes) {
        self.is_untold = false;
        match &mut self.driver {
            DriverTask::Awake { is_notified } => *is_notified = true,
            driver @ DriverTask::Asleep(_) => {
                if let DriverTask::Asleep(waker) =
                    std::mem::replace(driver, DriverTask::Awake { is_notified: true })
                {
                    wakes.push(Some(waker));
                }
            }
            DriverTask::Gone | DriverTask::Reunited => {}
        }
    }

    /// Whether the driver was notified during its round, and must not sleep yet.
    pub(crate) fn take_notified(&mut self) -> bool {
        match &mut self.driver {
            DriverTask::Awake { is_notified } => std::mem::take(is_notified),
            DriverTask::Asleep(_) | DriverTask::Gone | DriverTask::Reunited => false,
        }
    }

    /// Updates what is known of the stream.
    pub(crate) fn note_stream<S: ByteStream, C: Clock>(&mut self, endpoint: &Endpoint<S, C>) {
        let status = &mut self.stream;
        status.is_open = endpoint.stream.is_some();
        // Not before the cause is known: the peer's Close, or its protocol error, may still be
        // unread.
        status.has_write_failed = endpoint.has_write_failed() && is_cause_known(&self.connection);
        status.is_flushed = endpoint.is_flushed();
        if status.fault.is_none() {
            status.fault = endpoint.fault.as_ref().map(copy);
        }
    }

    /// Waits until everything is written that is accepted now.
    pub(crate) const fn written_from_here(&self) -> WaitFor {
        WaitFor::Written { accepted: self.accepted }
    }

    /// Makes the driver begin the closing handshake, unless that has begun already.
    pub(crate) fn begin_close(&mut self, frame: CloseFrame, wakes: &mut Wakes) {
        if !self.is_closing() {
            self.close = Some(frame);
            self.notify(wakes);
        }
    }

    /// The receiver or the last sender was dropped.
    pub(crate) fn on_drop(&mut self, choice: OnDrop, wakes: &mut Wakes) {
        if matches!(self.driver, DriverTask::Reunited) {
            return;
        }
        let is_last = !self.has_receiver && self.senders == 0;
        if !self.has_receiver {
            // With its messages in the inbox the gate could stay closed, and the peer's Close
            // would never be read.
            self.discard(wakes);
        }
        match choice {
            OnDrop::Abort => self.connection.abort(),
            OnDrop::Continue if !is_last => {}
            OnDrop::Close | OnDrop::Continue
                // While the server polls the handler it does this itself: a moment later it knows
                // which close code fits.
                if self.closer.as_ref().is_some_and(Closer::is_left_to_server) => {}
            OnDrop::Close | OnDrop::Continue => {
                self.begin_close(CloseFrame::from(CloseCode::GOING_AWAY), wakes);
            }
        }
        self.notify(wakes);
    }

    /// Drops the queued messages and those that will arrive. Returns whether any were queued.
    pub(crate) fn discard(&mut self, wakes: &mut Wakes) -> bool {
        self.is_discarding = true;
        let mut is_any = false;
        while let Some(event) = self.take_event() {
            self.assembly.discard(&event);
            wakes.drop_later(event);
            is_any = true;
        }
        is_any
    }

    /// Takes the next event. The last one, `Closed`, is only noted.
    pub(crate) fn take_event(&mut self) -> Option<Event> {
        match self.connection.poll_event() {
            Some(Event::Closed(_)) => {
                self.end = EndProgress::EventsTaken;
                None
            }
            event => event,
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        // A Close that the driver has still to begin counts too: nothing is accepted after it was
        // asked for.
        self.close.is_some() || self.connection.is_closing()
    }

    pub(crate) fn cannot_write(&self) -> bool {
        self.is_closing() || !self.is_writable()
    }

    /// Whether the stream may still take something.
    pub(crate) const fn is_writable(&self) -> bool {
        self.stream.is_open && !self.stream.has_write_failed
    }

    /// Why nothing can be sent.
    pub(crate) fn cannot_send(&self) -> Error {
        reason(&self.connection, self.stream.fault.as_ref())
    }
}
