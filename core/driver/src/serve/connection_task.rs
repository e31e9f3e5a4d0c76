//! The task of one connection of a server: its opening handshake, its handler, and its end.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::event_loop::{Attempt, Endpoint, EventLoop};
use crate::io::{ByteStream, Clock, before_deadline};
use crate::serve::abortable::{RunResult, run_abortable, run_handler};
use crate::serve::decision::ClientInfo;
use crate::serve::handler_outcome::{HandlerOutcome, in_full, is_normal_end, is_of_connection};
use crate::serve::listener::Remote;
use crate::serve::opening_handshake::{Opened, open};
use crate::serve::options::ServeOptions;
use crate::serve::refused_client::RefusedClient;
use crate::serve::server_state::{Permit, going_away};
use crate::split::Driver;
use crate::trace::Span;
use crate::websocket::{ReturnSlot, Returned, WebSocket};
use tidegate_core::{CloseCode, CloseFrame};

/// Runs a connection to its end, which may come from outside at any time. The permit is given back
/// when the handler has returned and the stream is closed, whoever owns the stream by then.
pub(crate) async fn run<S, C, O, H, F>(
    opening: O,
    peer: Remote,
    clock: C,
    permit: Permit,
    options: Arc<ServeOptions>,
    handler: Arc<H>,
) where
    S: ByteStream,
    C: Clock,
    O: Future<Output = io::Result<S>>,
    H: Fn(WebSocket<S, C>, ClientInfo) -> F,
    F: Future<Output: HandlerOutcome>,
{
    let (mut socket, client) =
        match run_abortable(&permit, open(opening, peer, clock, &permit, &options)).await {
            RunResult::Returned(Opened::Socket(socket, client)) => (*socket, client),
            RunResult::Returned(Opened::Refused(client)) => {
                drop(options);
                // First, so that a refused client that stays does not keep the place of a
                // handshake.
                permit.linger();
                run_abortable(&permit, wait_for_refused(client)).await;
                return;
            }
            RunResult::Returned(Opened::Nothing) | RunResult::Panicked | RunResult::Aborted => {
                // The stream was dropped with the future, which has closed it. Dropping the permit
                // makes room.
                return;
            }
        };
    drop(options);
    permit.open();
    let slot = ReturnSlot::new();
    let take = |socket: &mut WebSocket<S, C>| Returned::Socket(Box::new(socket.take_out()));
    socket.return_guard = Some(slot.guard(take));
    let end = handle(&permit, &slot, handler, socket, client).await;
    // The handler may have moved the connection, whole or split, to another task. It is a connection
    // of this server until its stream is closed.
    // This wait cannot be aborted, because another task may have the stream. An abort takes effect
    // there, and the permit has to stay until the stream is closed.
    let Some(returned) = poll_fn(|cx| slot.poll_return(cx)).await else { return };
    // The application was told the end, and may keep the `WebSocket` without ever calling it again.
    // So the server waits for the peer to close the stream.
    if let Returned::Stream(endpoint) = returned {
        run_abortable(&permit, wait_for_peer(endpoint)).await;
    } else if let Some(frame) = end.close_frame(&permit) {
        match returned {
            Returned::Socket(socket) => run_abortable(&permit, close(socket, frame)).await,
            // `handle` has told it to close already.
            Returned::Driver(driver) => run_abortable(&permit, close_split(driver)).await,
            // Not reached: this case is the branch above.
            Returned::Stream(_) => return,
        };
    }
}

/// Runs the handler. Begins to close a split connection whose parts the handler drops.
async fn handle<S, C, H, F>(
    permit: &Permit,
    slot: &ReturnSlot<Returned<S, C>>,
    handler: Arc<H>,
    socket: WebSocket<S, C>,
    client: ClientInfo,
) -> HandlerEnd
where
    S: ByteStream,
    C: Clock,
    H: Fn(WebSocket<S, C>, ClientInfo) -> F,
    F: Future<Output: HandlerOutcome>,
{
    let handling = async move {
        match handler(socket, client).await.into_result() {
            Ok(()) => HandlerEnd::Ok,
            // A handler that only sends learns of a normal end by this error.
            Err(error) if is_normal_end(&error) => HandlerEnd::Ok,
            Err(error) => {
                Span::handler_failed(is_of_connection(&error), || in_full(&error));
                permit.shared().count(|counters| counters.failed += 1);
                HandlerEnd::Failed
            }
        }
    };
    let result = run_handler(permit, handling, |poll| {
        let frame = match poll {
            Poll::Pending => {
                // The handler goes on without its driver: the driver is dropped, which gives the
                // connection up.
                drop(slot.take_returned());
                Some(CloseCode::GOING_AWAY.into())
            }
            Poll::Ready(result) => HandlerEnd::of(result).close_frame(permit),
        };
        // The driver may run in another task. The closer reaches it there.
        if let Some(frame) = frame {
            // This frame may be sent, so there is no error.
            let _ = permit.closer.close(frame);
        }
    });
    HandlerEnd::of(&result.await)
}

/// How the handler ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HandlerEnd {
    /// It returned without an error.
    Ok,
    /// It returned an error, or panicked.
    Failed,
    /// The connection was aborted.
    Aborted,
}

impl HandlerEnd {
    fn of(result: &RunResult<Self>) -> Self {
        match result {
            RunResult::Returned(end) => *end,
            RunResult::Panicked => Self::Failed,
            RunResult::Aborted => Self::Aborted,
        }
    }

    /// The Close that the server sends after this end; `None` if it only closes the stream.
    fn close_frame(self, permit: &Permit) -> Option<CloseFrame> {
        match self {
            // A shutdown closes every connection with 1001, also this one if its handler returns
            // before it notices the shutdown.
            Self::Ok if permit.shared().is_stopping() => Some(going_away()),
            Self::Ok => Some(CloseCode::NORMAL.into()),
            Self::Failed => Some(CloseCode::INTERNAL_ERROR.into()),
            Self::Aborted => None,
        }
    }
}

/// Closes a socket that its handler has dropped: writes the output, then the Close, and waits for the
/// end of the stream, all within `close_timeout`.
async fn close<S: ByteStream, C: Clock>(mut socket: Box<WebSocket<S, C>>, frame: CloseFrame) {
    // The clone has a timer of its own: the socket uses its timer in the same polls.
    let mut clock = socket.endpoint.clock.clone();
    let timeout = socket.connection.config().close_timeout();
    // This frame may be sent, so there is no error.
    let _ = socket.begin_close(frame);
    // The limit of the connection itself begins only when the Close has left. This one also bounds
    // the output before the Close, for a peer that reads nothing.
    let deadline = timeout.map(|timeout| clock.now() + timeout);
    let closed = poll_fn(|cx| socket.poll_stream_closed(cx));
    before_deadline(&mut clock, deadline, closed).await;
}

/// As [`close`], for a split connection whose driver the handler has polled itself.
async fn close_split<S: ByteStream, C: Clock>(driver: Box<Driver<S, C>>) {
    let Some((mut clock, timeout)) = driver.close_timeout() else { return };
    let deadline = timeout.map(|timeout| clock.now() + timeout);
    before_deadline(&mut clock, deadline, driver).await;
}

/// Waits for the peer of a connection that has ended to close the stream.
async fn wait_for_peer<S: ByteStream, C: Clock>(mut endpoint: Box<Endpoint<S, C>>) {
    let mut clock = endpoint.clock.clone();
    let deadline = clock.now() + LINGER;
    before_deadline(&mut clock, Some(deadline), poll_fn(|cx| endpoint.poll_discard(cx))).await;
}

/// Waits for a refused client to close the stream. If the server closed it first, the operating
/// system could destroy the response before the client has read it.
async fn wait_for_refused<S: ByteStream, C: Clock>(mut client: RefusedClient<S, C>) {
    let mut clock = client.clock().clone();
    let deadline = clock.now() + LINGER;
    before_deadline(&mut clock, Some(deadline), poll_fn(|cx| client.poll_closed(cx))).await;
}

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// Drops what is received until the stream is closed.
    fn poll_stream_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_until(cx, |socket| {
            let is_any = socket.discard_events();
            match socket.endpoint.stream {
                None => Attempt::Done(()),
                Some(_) if is_any => Attempt::Again,
                Some(_) => Attempt::Wait,
            }
        })
    }
}

/// How long a client has to read our last bytes: enough for a round trip with a lost packet.
const LINGER: Duration = Duration::from_secs(2);
