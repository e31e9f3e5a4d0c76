//! The slow client's connection, whole or split.

use core::future::pending;

use tidegate_tokio::{
    ClientSocket, CloseCode, Error, Message, Receiver, Sender, Stats, split_spawn,
};

pub(crate) enum Client {
    Whole(Box<ClientSocket>),
    Split(Sender, Receiver),
}

impl Client {
    pub(crate) fn new(socket: ClientSocket, is_split: bool) -> Self {
        if is_split {
            let (sender, receiver) = split_spawn(socket);
            Self::Split(sender, receiver)
        } else {
            Self::Whole(Box::new(socket))
        }
    }

    pub(crate) fn try_recv(&mut self) -> Option<Message> {
        match self {
            Self::Whole(socket) => socket.try_recv(),
            Self::Split(_, receiver) => receiver.try_recv(),
        }
    }

    pub(crate) async fn recv(&mut self) -> Result<Option<Message>, Error> {
        match self {
            Self::Whole(socket) => socket.recv().await,
            Self::Split(_, receiver) => receiver.recv().await,
        }
    }

    /// Reads ahead until the gate closes and answers pings, but takes no message. Returns when the
    /// connection has ended. For a split connection the driver does this anyway.
    pub(crate) async fn drive(&mut self) {
        match self {
            Self::Whole(socket) => socket.drive().await,
            Self::Split(sender, _) if sender.closed().is_some() => {}
            Self::Split(..) => pending().await,
        }
    }

    pub(crate) async fn close(&mut self) -> Result<(), Error> {
        match self {
            Self::Whole(socket) => socket.close(CloseCode::NORMAL, "").await,
            Self::Split(sender, _) => sender.close(CloseCode::NORMAL, "").await,
        }
        .map(|_| ())
    }

    pub(crate) fn abort(&mut self) {
        match self {
            Self::Whole(socket) => socket.abort(),
            Self::Split(sender, _) => sender.abort(),
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

    pub(crate) fn queued_bytes(&self) -> usize {
        match self {
            Self::Whole(socket) => socket.queued_bytes(),
            Self::Split(_, receiver) => receiver.queued_bytes(),
        }
    }

    pub(crate) fn queued_output(&self) -> usize {
        match self {
            Self::Whole(socket) => socket.queued_output(),
            Self::Split(sender, _) => sender.queued_output(),
        }
    }

    pub(crate) fn is_gate_open(&self) -> bool {
        match self {
            Self::Whole(socket) => socket.connection().is_gate_open(),
            Self::Split(_, receiver) => receiver.is_gate_open(),
        }
    }
}
