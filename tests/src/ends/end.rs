//! One end of a connection, with the same calls whether it is whole or split.

use core::time::Duration;
use std::net::{TcpListener, TcpStream};

use tidegate_core::{CloseCode, Closed, Config, Message, Stats};
use tidegate_driver::{Receiver, Sender};

use super::runtimes::{Adapter, Error, Socket};
use super::together::{both, either};

/// Whether a connection is used whole or split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One object, driven by the calls on it.
    Whole,
    /// A sender, a receiver, and a driver task.
    Split,
}

/// One end, in the mode under test.
#[derive(Debug)]
pub enum End<A: Adapter> {
    /// A server, whole.
    Server(Box<Socket<A, A::Server>>),
    /// A client, whole.
    Client(Box<Socket<A, A::Client>>),
    /// Either of them, split.
    Split(Sender, Receiver),
}

/// Runs the first expression for a whole connection, the second for a split one.
macro_rules! on {
    ($end:expr, $socket:ident => $whole:expr, $sender:pat, $receiver:pat => $split:expr) => {
        match $end {
            Self::Server($socket) => $whole,
            Self::Client($socket) => $whole,
            Self::Split($sender, $receiver) => $split,
        }
    };
}

impl<A: Adapter> End<A> {
    /// A server in this mode.
    pub fn server(mode: Mode, socket: Socket<A, A::Server>) -> Self {
        match mode {
            Mode::Whole => Self::Server(Box::new(socket)),
            Mode::Split => Self::split(A::split_spawn(socket)),
        }
    }

    /// A client in this mode.
    pub fn client(mode: Mode, socket: Socket<A, A::Client>) -> Self {
        match mode {
            Mode::Whole => Self::Client(Box::new(socket)),
            Mode::Split => Self::split(A::split_spawn(socket)),
        }
    }

    fn split((sender, receiver): (Sender, Receiver)) -> Self {
        Self::Split(sender, receiver)
    }

    /// Sends, and waits until the message is accepted.
    ///
    /// # Errors
    ///
    /// Those of the connection, as for all methods below.
    pub async fn send(
        &mut self,
        message: impl Into<tidegate_core::Outgoing<'static>>,
    ) -> Result<(), Error> {
        on!(self, socket => socket.send(message).await, sender, _ => sender.send(message).await)
    }

    /// Sends without writing.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn feed(
        &mut self,
        message: impl Into<tidegate_core::Outgoing<'static>>,
    ) -> Result<(), Error> {
        on!(self, socket => socket.feed(message).await, sender, _ => sender.feed(message).await)
    }

    /// Writes all queued output.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn flush(&mut self) -> Result<(), Error> {
        on!(self, socket => socket.flush().await, sender, _ => sender.flush().await)
    }

    /// Receives.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        on!(self, socket => socket.recv().await, _, receiver => receiver.recv().await)
    }

    /// Receives a message that is already decoded.
    pub fn try_recv(&mut self) -> Option<Message> {
        on!(self, socket => socket.try_recv(), _, receiver => receiver.try_recv())
    }

    /// Pings.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn ping(&mut self) -> Result<Option<Duration>, Error> {
        on!(self, socket => socket.ping().await, sender, _ => sender.ping().await)
    }

    /// Closes.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<Closed, Error> {
        on!(self, socket => socket.close(code, reason).await,
            sender, _ => sender.close(code, reason).await)
    }

    /// Aborts.
    pub fn abort(&mut self) {
        on!(self, socket => socket.abort(), sender, _ => sender.abort());
    }

    /// Waits as an application that does something else. Only for a whole connection must a call drive
    /// it meanwhile.
    pub async fn be_elsewhere(&mut self, duration: Duration) {
        on!(self, socket => { either(A::sleep(duration), socket.drive()).await; },
            _, _ => A::sleep(duration).await);
    }

    /// Waits until the peer closes the stream, and reads what still arrives. The driver of a split
    /// connection does this by itself.
    pub async fn linger(&mut self) {
        on!(self, socket => socket.drive().await, _, _ => {});
    }

    /// How the connection ended.
    pub fn closed(&self) -> Option<Closed> {
        on!(self, socket => socket.closed().cloned(), sender, _ => sender.closed())
    }

    /// Its counters.
    pub fn stats(&self) -> Stats {
        on!(self, socket => socket.stats(), sender, _ => sender.stats())
    }

    /// How many messages are in the inbox.
    pub fn queued_messages(&self) -> usize {
        on!(self, socket => socket.queued_messages(), _, receiver => receiver.queued_messages())
    }

    /// How many bytes are in the inbox.
    pub fn queued_bytes(&self) -> usize {
        on!(self, socket => socket.queued_bytes(), _, receiver => receiver.queued_bytes())
    }

    /// How many bytes are in the outbox.
    pub fn queued_output(&self) -> usize {
        on!(self, socket => socket.queued_output(), sender, _ => sender.queued_output())
    }
}

/// A server's and a client's end of a connection.
pub async fn pair<A: Adapter>(mode: Mode, server: Config, client: Config) -> (End<A>, End<A>) {
    let (server, client) = sockets::<A>(server, client).await;
    (End::server(mode, server), End::client(mode, client))
}

/// The same, before a mode is chosen.
pub async fn sockets<A: Adapter>(
    server: Config,
    client: Config,
) -> (Socket<A, A::Server>, Socket<A, A::Client>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = async { A::accept(take::<A>(&listener).await, server).await };
    let (server, client) = both(accepting, A::connect(address, client)).await;
    (server.unwrap(), client.unwrap())
}

/// Accepts the next connection of a listener. Polls repeatedly, because the connection reaches the
/// system's backlog without our help.
pub async fn take<A: Adapter>(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    loop {
        match listener.accept() {
            Ok((stream, _)) => return stream,
            Err(_) => A::sleep(Duration::from_millis(1)).await,
        }
    }
}
