//! The same calls on a connection that is whole, split, or divided by `StreamExt::split`.

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tidegate_core::{CloseCode, Message};
use tidegate_driver::{Error, Receiver, Sender};

use crate::scene::{Scene, Socket};

use super::scenario::Mode;

/// The sending half.
pub(crate) enum Sending {
    Split(Sender),
    Half(SplitSink<Socket, Message>),
}

/// The receiving half.
pub(crate) enum Receiving {
    Split(Receiver),
    Half(SplitStream<Socket>),
}

/// Both.
pub(crate) enum Connection {
    Whole(Box<Socket>),
    Parts(Sending, Receiving),
}

/// How an application closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    /// `close`, which discards what still arrives.
    Drops,
    /// `SinkExt::close` or `begin_close`, and then receives to the end.
    Receives,
}

type Received = Result<Option<Message>, Error>;

impl Sending {
    pub(crate) async fn send(&mut self, message: Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Split(sender) => Sender::send(sender, message).await,
            Self::Half(sink) => sink.send(Message::binary(message)).await,
        }
    }

    async fn feed(&mut self, message: Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Split(sender) => Sender::feed(sender, message).await,
            Self::Half(sink) => sink.feed(Message::binary(message)).await,
        }
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        match self {
            Self::Split(sender) => Sender::flush(sender).await,
            Self::Half(sink) => sink.flush().await,
        }
    }

    /// Sends a Close and does not wait for the answer.
    pub(crate) async fn begin_close(&mut self) -> Result<(), Error> {
        match self {
            Self::Split(sender) => sender.begin_close(CloseCode::NORMAL, ""),
            Self::Half(sink) => sink.close().await,
        }
    }
}

impl Receiving {
    pub(crate) async fn recv(&mut self) -> Received {
        match self {
            Self::Split(receiver) => receiver.recv().await,
            Self::Half(stream) => stream.next().await.transpose(),
        }
    }
}

impl Connection {
    pub(crate) fn new(scene: &mut Scene, socket: Socket, mode: Mode) -> Self {
        match mode {
            Mode::Whole => Self::Whole(Box::new(socket)),
            Mode::Split => {
                let (sender, receiver) = scene.split(socket);
                Self::Parts(Sending::Split(sender), Receiving::Split(receiver))
            }
            Mode::Halves => {
                let (sink, stream) = StreamExt::split(socket);
                Self::Parts(Sending::Half(sink), Receiving::Half(stream))
            }
        }
    }

    pub(crate) async fn send(&mut self, message: Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Whole(socket) => (**socket).send(message).await,
            Self::Parts(sending, _) => sending.send(message).await,
        }
    }

    pub(crate) async fn feed(&mut self, message: Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Whole(socket) => (**socket).feed(message).await,
            Self::Parts(sending, _) => sending.feed(message).await,
        }
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        match self {
            Self::Whole(socket) => (**socket).flush().await,
            Self::Parts(sending, _) => sending.flush().await,
        }
    }

    pub(crate) async fn recv(&mut self) -> Received {
        match self {
            Self::Whole(socket) => (**socket).recv().await,
            Self::Parts(_, receiving) => receiving.recv().await,
        }
    }

    /// The halves of `StreamExt::split` have no `ping`.
    pub(crate) async fn ping(&mut self) -> Result<(), Error> {
        match self {
            Self::Whole(socket) => (**socket).ping().await.map(drop),
            Self::Parts(Sending::Split(sender), _) => sender.ping().await.map(drop),
            Self::Parts(..) => Ok(()),
        }
    }

    /// Closes. Messages received meanwhile go to `received`.
    pub(crate) async fn close(
        &mut self,
        how: Close,
        mut received: impl FnMut(Message),
    ) -> Result<(), Error> {
        match (how, &mut *self) {
            (Close::Drops, Self::Whole(socket)) => {
                return (**socket).close(CloseCode::NORMAL, "").await.map(drop);
            }
            (Close::Drops, Self::Parts(Sending::Split(sender), _)) => {
                return Sender::close(sender, CloseCode::NORMAL, "").await.map(drop);
            }
            (_, Self::Whole(socket)) => SinkExt::close(&mut **socket).await?,
            (_, Self::Parts(sending, _)) => sending.begin_close().await?,
        }
        while let Some(message) = self.recv().await? {
            received(message);
        }
        Ok(())
    }
}
