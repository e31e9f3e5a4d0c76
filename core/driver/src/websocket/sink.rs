//! A WebSocket as a `Stream` and a `Sink`, also from two tasks.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::Wake;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use futures_sink::Sink;

use crate::error::Error;
use crate::event_loop::Driven;
use crate::io::ByteStream;
use crate::io::Clock;
use crate::io::{lock, look_and_leave};
use crate::websocket::WebSocket;
use tidegate_core::{CloseCode, CloseFrame, Message};

/// The two tasks that may hold the halves of a `StreamExt::split`.
///
/// Each half runs the whole connection, and a stream keeps one waker for each direction: the half
/// that was polled last would take the wake-ups of the other one. So the stream gets a waker that
/// wakes both. There is one only where the traits are used.
#[derive(Debug, Default)]
pub(crate) struct Tasks(Option<Arc<Wakers>>);

#[derive(Debug, Default)]
struct Wakers {
    stream: Mutex<Option<Waker>>,
    sink: Mutex<Option<Waker>>,
}

impl Tasks {
    fn stream(&mut self, cx: &Context<'_>) -> Waker {
        let wakers = self.0.get_or_insert_default();
        wakers.waker(&wakers.stream, cx)
    }

    fn sink(&mut self, cx: &Context<'_>) -> Waker {
        let wakers = self.0.get_or_insert_default();
        wakers.waker(&wakers.sink, cx)
    }
}

impl Wakers {
    /// The task is noted before it polls, so no wake-up in between is lost.
    fn waker(self: &Arc<Self>, half: &Mutex<Option<Waker>>, cx: &Context<'_>) -> Waker {
        look_and_leave(half, cx, |task| task, |_| ());
        Waker::from(Arc::clone(self))
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        for half in [&self.stream, &self.sink] {
            let task = lock(half).take();
            if let Some(task) = task {
                task.wake();
            }
        }
    }
}

impl<S: ByteStream, C: Clock> Stream for WebSocket<S, C> {
    type Item = Result<Message, Error>;

    /// As [`recv`](WebSocket::recv): `None` after a clean close, and after an error.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let waker = self.tasks.stream(cx);
        self.poll_recv(&mut Context::from_waker(&waker)).map(Result::transpose)
    }
}

impl<S: ByteStream, C: Clock> Sink<Message> for WebSocket<S, C> {
    type Error = Error;

    /// Waits for room in the outbox. [`Error::Unfinished`] within a message in chunks.
    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.has_room() {
            return Poll::Ready(Ok(()));
        }
        let waker = self.tasks.sink(cx);
        self.poll_until(&mut Context::from_waker(&waker), Self::room)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.accept(message)
    }

    /// As [`flush`](WebSocket::flush).
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let waker = self.tasks.sink(cx);
        self.poll_until(&mut Context::from_waker(&waker), |socket| socket.flushed())
    }

    /// Sends a Close with [`CloseCode::NORMAL`] behind what was accepted before, and waits until it
    /// is written. The stream half goes on to the end: it belongs to someone else, perhaps.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.begin_close(CloseFrame::from(CloseCode::NORMAL))?;
        self.poll_flush(cx)
    }
}
