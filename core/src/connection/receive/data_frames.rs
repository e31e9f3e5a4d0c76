//! How messages reach the application: whole, or chunk by chunk as they arrive.

use alloc::boxed::Box;

use crate::config::{Config, Delivery};
use crate::connection::event::Event;
use crate::connection::receive::assembler::Assembler;
use crate::connection::receive::chunks::Chunker;
use crate::connection::receive::queue::Inbox;
use crate::deflate::session::Compression;
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, Payload};

/// The data frames that arrive, on their way to the inbox.
#[derive(Debug)]
pub(crate) enum Delivering {
    Whole(Assembler),
    Chunks(Box<Chunker>),
}

impl Delivering {
    pub(crate) fn new(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Whole => Self::Whole(Assembler::default()),
            Delivery::Chunks => Self::Chunks(Box::default()),
        }
    }

    /// A data frame begins.
    pub(crate) fn begin(
        &mut self,
        header: &FrameHeader,
        config: &Config,
    ) -> Result<(), ProtocolError> {
        match self {
            Self::Whole(assembler) => assembler.begin(header, config),
            Self::Chunks(chunker) => chunker.begin(header, config),
        }
    }

    /// Payload of that frame. Tells whether its message is complete.
    pub(crate) fn push(
        &mut self,
        payload: Payload<'_>,
        config: &Config,
        compression: &mut Compression,
        inbox: &mut Inbox,
    ) -> Result<bool, ProtocolError> {
        match self {
            Self::Whole(assembler) => match assembler.push(payload, config, compression)? {
                Some(message) => {
                    inbox.push(message.len(), Event::Message(message), config);
                    Ok(true)
                }
                None => Ok(false),
            },
            Self::Chunks(chunker) => chunker.push(payload, config, compression, inbox),
        }
    }

    /// Goes on with what waited behind the gate. Tells whether a message is complete.
    pub(crate) fn resume(
        &mut self,
        config: &Config,
        compression: &mut Compression,
        inbox: &mut Inbox,
    ) -> Result<bool, ProtocolError> {
        match self {
            Self::Whole(_) => Ok(false),
            Self::Chunks(chunker) => chunker.resume(config, compression, inbox),
        }
    }

    /// Whether compressed input waits behind the gate.
    #[inline]
    pub(crate) fn is_waiting(&self) -> bool {
        match self {
            Self::Whole(_) => false,
            Self::Chunks(chunker) => chunker.is_waiting(),
        }
    }

    /// How much has arrived of a message that is put together, as it stands on the wire.
    pub(crate) fn arrived(&self) -> usize {
        match self {
            Self::Whole(assembler) => assembler.arrived(),
            // A chunk is as long as a read.
            Self::Chunks(_) => 0,
        }
    }

    /// Drops what there is: the connection is over.
    pub(crate) fn clear(&mut self) {
        match self {
            Self::Whole(assembler) => *assembler = Assembler::default(),
            Self::Chunks(chunker) => **chunker = Chunker::default(),
        }
    }
}
