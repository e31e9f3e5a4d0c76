//! A WebSocket as a `Stream` and a `Sink`, also from two tasks.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_sink::Sink;

use crate::error::Error;
use crate::event_loop::EventLoop;
use crate::io::{ByteStream, Clock};
use crate::websocket::WebSocket;
use tidegate_core::{CloseCode, CloseFrame, Message};

impl<S: ByteStream, C: Clock> Stream for WebSocket<S, C> {
    type Item = Result<Message, Error>;

    /// As [`recv`](WebSocket::recv): `None` after a clean close, and after an error.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // The `Sink` half may be in another task, and the byte stream keeps one waker for each
        // direction. This waker wakes both tasks.
        let waker = self.half_wakers.stream(cx);
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
        let waker = self.half_wakers.sink(cx);
        self.poll_until(&mut Context::from_waker(&waker), Self::room)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.accept(message)
    }

    /// As [`flush`](WebSocket::flush).
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let waker = self.half_wakers.sink(cx);
        self.poll_until(&mut Context::from_waker(&waker), |socket| socket.flushed())
    }

    /// Sends a Close with [`CloseCode::NORMAL`] after what was accepted before, and waits until it is
    /// written. The stream half can still receive up to the end, since another task may hold it.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // Runs in every poll of the close. After the first one the closing handshake has begun,
        // and this changes nothing.
        self.begin_close(CloseFrame::from(CloseCode::NORMAL))?;
        self.poll_flush(cx)
    }
}
