//! One connection of a server: its handshake, its handler, its end.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::event_loop::endpoint::Link;
use crate::event_loop::{Driven, Goal};
use crate::io::ByteStream;
use crate::io::Clock;
use crate::serve::accept::until;
use crate::serve::decision::Arrival;
use crate::serve::guarded::{Done, guarded, in_turns};
use crate::serve::leaving::Leaving;
use crate::serve::listener::Remote;
use crate::serve::opening::{Opened, open};
use crate::serve::options::ServeOptions;
use crate::serve::outcome::{HandlerOutcome, is_farewell};
use crate::serve::shared::{Place, going_away};
use crate::split::Driver;
use crate::trace::Span;
use crate::websocket::WebSocket;
use crate::websocket::home::{Home, Returned, WayHome};
use tidegate_core::{CloseCode, CloseFrame};

/// Runs a connection to its end, which may come from outside at any time. The place is given back
/// when the handler has returned and the stream is closed, whoever has it.
pub(crate) async fn run<S, C, O, H, F>(
    opening: O,
    peer: Remote,
    clock: C,
    place: Place,
    options: Arc<ServeOptions>,
    handler: Arc<H>,
) where
    S: ByteStream,
    C: Clock,
    O: Future<Output = io::Result<S>>,
    H: Fn(WebSocket<S, C>, Arrival) -> F,
    F: Future<Output: HandlerOutcome>,
{
    let (mut socket, arrival) =
        match guarded(&place, open(opening, peer, clock, &place, &options)).await {
            Done::Value(Opened::Socket(socket, arrival)) => (*socket, arrival),
            Done::Value(Opened::Refused(leaving)) => {
                drop(options);
                place.linger();
                guarded(&place, linger(leaving)).await;
                return;
            }
            Done::Value(Opened::Nothing) | Done::Panicked | Done::Cut => return,
        };
    drop(options);
    place.open();
    let home = Home::new();
    socket.home = Some(WayHome::to(&home));
    let ended = handle(&place, &home, handler, socket, arrival).await;
    // It may live on elsewhere, whole or in parts; it is a connection of this server until its
    // stream is closed.
    let Some(returned) = poll_fn(|cx| home.poll_return(cx)).await else { return };
    if let Returned::Stream(link) = returned {
        guarded(&place, leave(link)).await;
    } else if let Some(frame) = ended.close(&place) {
        match returned {
            Returned::Whole(socket) => guarded(&place, close(socket, frame)).await,
            // It was told to close when the handler had returned.
            Returned::InParts(driver) => guarded(&place, close_parts(driver)).await,
            Returned::Stream(_) => return,
        };
    }
}

/// Runs the handler, and closes what it has dropped of a connection in parts.
async fn handle<S, C, H, F>(
    place: &Place,
    home: &Home<S, C>,
    handler: Arc<H>,
    socket: WebSocket<S, C>,
    arrival: Arrival,
) -> Ended
where
    S: ByteStream,
    C: Clock,
    H: Fn(WebSocket<S, C>, Arrival) -> F,
    F: Future<Output: HandlerOutcome>,
{
    let handling = async move {
        match handler(socket, arrival).await.into_result() {
            Ok(()) => Ended::Well,
            // What whoever only sends is told at the end of a conversation that ended as such.
            Err(error) if is_farewell(&error) => Ended::Well,
            Err(error) => {
                Span::handler_failed(&error);
                place.shared().count(|counters| counters.failed += 1);
                Ended::Badly
            }
        }
    };
    let done = in_turns(place, handling, |done| {
        let frame = match done {
            Poll::Pending => {
                // Without a driver it is abandoned.
                drop(home.take_returned());
                Some(CloseCode::GOING_AWAY.into())
            }
            Poll::Ready(done) => Ended::of(done).close(place),
        };
        if let Some(frame) = frame {
            // The frame is one that may be sent.
            let _ = place.closer.close(frame);
        }
    });
    Ended::of(&done.await)
}

/// What became of a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// It has returned without an error.
    Well,
    /// It has returned an error, or panicked.
    Badly,
    /// The connection was cut.
    Cut,
}

impl Ended {
    fn of(done: &Done<Self>) -> Self {
        match done {
            Done::Value(ended) => *ended,
            Done::Panicked => Self::Badly,
            Done::Cut => Self::Cut,
        }
    }

    /// How the server closes the connection then, if there is still time for that.
    fn close(self, place: &Place) -> Option<CloseFrame> {
        match self {
            Self::Well if place.shared().is_stopping() => Some(going_away()),
            Self::Well => Some(CloseCode::NORMAL.into()),
            Self::Badly => Some(CloseCode::INTERNAL_ERROR.into()),
            Self::Cut => None,
        }
    }
}

/// Closes a socket that its handler has let go of: what was accepted is written, the Close behind
/// it, and the stream is closed in order, all within `close_timeout`.
async fn close<S: ByteStream, C: Clock>(mut socket: Box<WebSocket<S, C>>, frame: CloseFrame) {
    let mut clock = socket.link.clock.clone();
    let timeout = socket.connection.config().close_timeout();
    // The frame is one that may be sent.
    let _ = socket.begin_close(frame);
    until(&mut clock, timeout, |cx| socket.poll_leave(cx)).await;
}

/// As [`close`], for a connection in parts that its handler has driven itself.
async fn close_parts<S: ByteStream, C: Clock>(mut driver: Box<Driver<S, C>>) {
    let Some((mut clock, timeout)) = driver.limit() else { return };
    until(&mut clock, timeout, |cx| Pin::new(&mut driver).poll(cx)).await;
}

/// Waits for the peer of a connection that has ended to close the stream.
async fn leave<S: ByteStream, C: Clock>(mut link: Box<Link<S, C>>) {
    let mut clock = link.clock.clone();
    until(&mut clock, LINGER, |cx| link.poll_discard(cx)).await;
}

/// Waits for a refused client to close the stream: closed sooner, the system could take the answer
/// back from it.
async fn linger<S: ByteStream, C: Clock>(mut leaving: Leaving<S, C>) {
    let mut clock = leaving.clock().clone();
    until(&mut clock, LINGER, |cx| leaving.poll_gone(cx)).await;
}

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// Drops what is received until the stream is closed.
    fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_until(cx, |socket| {
            let mut has_taken = false;
            while let Some(event) = socket.take_event() {
                socket.intake.discard(&event);
                has_taken = true;
            }
            match socket.link.stream {
                None => Goal::Done(()),
                Some(_) if has_taken => Goal::Again,
                Some(_) => Goal::Wait,
            }
        })
    }
}

/// How long a client has to take our last words: a round trip with something lost on the way.
const LINGER: std::time::Duration = std::time::Duration::from_secs(2);
