//! One end of a connection, whole or in parts, and small tools.

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::net::{TcpListener, TcpStream};

use tidegate_core::driver::{Receiver, Sender};
use tidegate_core::{CloseCode, Closed, Config, Message, Stats};

use crate::runtimes::{Adapter, Error, Socket};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Whole,
    Split,
}

/// One end, in the mode under test.
pub(crate) enum End<A: Adapter> {
    Whole(Box<Socket<A>>),
    Split(Sender, Receiver),
}

impl<A: Adapter> End<A> {
    pub(crate) fn new(mode: Mode, socket: Socket<A>) -> Self {
        match mode {
            Mode::Whole => Self::Whole(Box::new(socket)),
            Mode::Split => {
                let (sender, receiver) = A::split_spawn(socket);
                Self::Split(sender, receiver)
            }
        }
    }

    pub(crate) async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        match self {
            Self::Whole(socket) => socket.send(message).await,
            Self::Split(sender, _) => sender.send(message).await,
        }
    }

    pub(crate) async fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        match self {
            Self::Whole(socket) => socket.feed(message).await,
            Self::Split(sender, _) => sender.feed(message).await,
        }
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        match self {
            Self::Whole(socket) => socket.flush().await,
            Self::Split(sender, _) => sender.flush().await,
        }
    }

    pub(crate) async fn recv(&mut self) -> Result<Option<Message>, Error> {
        match self {
            Self::Whole(socket) => socket.recv().await,
            Self::Split(_, receiver) => receiver.recv().await,
        }
    }

    pub(crate) fn try_recv(&mut self) -> Option<Message> {
        match self {
            Self::Whole(socket) => socket.try_recv(),
            Self::Split(_, receiver) => receiver.try_recv(),
        }
    }

    pub(crate) async fn ping(&mut self) -> Result<Option<Duration>, Error> {
        match self {
            Self::Whole(socket) => socket.ping().await,
            Self::Split(sender, _) => sender.ping().await,
        }
    }

    pub(crate) async fn close(&mut self, code: CloseCode, reason: &str) -> Result<Closed, Error> {
        match self {
            Self::Whole(socket) => socket.close(code, reason).await,
            Self::Split(sender, _) => sender.close(code, reason).await,
        }
    }

    /// The application is elsewhere for a while. A whole connection is not driven then but by a
    /// call that does only that.
    pub(crate) async fn be_elsewhere(&mut self, duration: Duration) {
        match self {
            Self::Whole(socket) => {
                either(A::sleep(duration), socket.drive()).await;
            }
            Self::Split(..) => A::sleep(duration).await,
        }
    }

    pub(crate) fn closed(&self) -> Option<Closed> {
        match self {
            Self::Whole(socket) => socket.closed().cloned(),
            Self::Split(sender, _) => sender.closed(),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        match self {
            Self::Whole(socket) => socket.stats(),
            Self::Split(sender, _) => sender.stats(),
        }
    }

    pub(crate) fn queued_messages(&self) -> usize {
        match self {
            Self::Whole(socket) => socket.queued_messages(),
            Self::Split(_, receiver) => receiver.queued_messages(),
        }
    }
}

/// A server's and a client's end of a connection over TCP.
pub(crate) async fn pair<A: Adapter>(
    mode: Mode,
    server: Config,
    client: Config,
) -> (End<A>, End<A>) {
    let (server, client) = sockets::<A>(server, client).await;
    (End::new(mode, server), End::new(mode, client))
}

/// The same before a mode is chosen.
pub(crate) async fn sockets<A: Adapter>(server: Config, client: Config) -> (Socket<A>, Socket<A>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let (server, client) = both(accept::<A>(listener, server), A::connect(&url, client)).await;
    (server.unwrap(), client.unwrap())
}

/// A server's end, and a client's that is only a stream behind its handshake. The client's socket
/// is blocking.
pub(crate) async fn raw_client<A: Adapter>(mode: Mode, config: Config) -> (End<A>, TcpStream) {
    use std::io::{Read, Write};

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    stream.write_all(REQUEST).unwrap();
    let server = accept::<A>(listener, config).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
    (End::new(mode, server), stream)
}

/// A server's connection. The listener accepts by blocking, which the client does not: it is in
/// the backlog of the system by then, or comes to it without us.
pub(crate) async fn accept<A: Adapter>(
    listener: TcpListener,
    config: Config,
) -> Result<Socket<A>, Error> {
    listener.set_nonblocking(true).unwrap();
    let stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(_) => A::sleep(Duration::from_millis(1)).await,
        }
    };
    A::accept(A::tcp(stream)).await?.config(config).accept().await
}

/// Nothing here takes long, unless it hangs.
pub(crate) async fn soon<A: Adapter, T>(future: impl Future<Output = T>) -> T {
    within::<A, T>(Duration::from_secs(30), future).await.expect("it takes too long")
}

/// Waits for a future for this long.
pub(crate) async fn within<A: Adapter, T>(
    duration: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    match either(future, A::sleep(duration)).await {
        Either::First(value) => Some(value),
        Either::Second(()) => None,
    }
}

pub(crate) enum Either<F, S> {
    First(F),
    Second(S),
}

/// Runs two futures until one is done.
pub(crate) async fn either<F, S>(
    first: impl Future<Output = F>,
    second: impl Future<Output = S>,
) -> Either<F, S> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| match first.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Either::First(value)),
        Poll::Pending => second.as_mut().poll(cx).map(Either::Second),
    })
    .await
}

/// Runs two futures until both are done.
pub(crate) async fn both<F, S>(
    first: impl Future<Output = F>,
    second: impl Future<Output = S>,
) -> (F, S) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut left, mut right) = (None, None);
    poll_fn(|cx| {
        if left.is_none()
            && let Poll::Ready(value) = first.as_mut().poll(cx)
        {
            left = Some(value);
        }
        if right.is_none()
            && let Poll::Ready(value) = second.as_mut().poll(cx)
        {
            right = Some(value);
        }
        if left.is_some() && right.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (left.unwrap(), right.unwrap())
}

/// Polls a future some times and drops it; `None` if it was not done by then.
pub(crate) async fn cancel<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            // Another poll, woken or not.
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

pub(crate) const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";
