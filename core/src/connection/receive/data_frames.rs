//! Data frames on their way to events: to whole messages or to chunks, as the configuration says.

use alloc::boxed::Box;

use crate::config::{Config, Delivery};
use crate::connection::event::Event;
use crate::connection::receive::assembler::Assembler;
use crate::connection::receive::chunks::Chunker;
use crate::connection::receive::queue::Inbox;
use crate::deflate::session::Compression;
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, Payload};

/// Turns data frames into events.
#[derive(Debug)]
pub(crate) enum DataFrames {
    Whole(Assembler),
    Chunks(Box<Chunker>),
}

impl DataFrames {
    pub(crate) fn new(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Whole => Self::Whole(Assembler::default()),
            Delivery::Chunks => Self::Chunks(Box::default()),
        }
    }

    /// Takes the header of a data frame.
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

    /// Takes payload of that frame. Returns whether its message is complete.
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

    /// Goes on with compressed input that was kept while the gate was closed. Returns whether its
    /// message is complete.
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

    /// Whether compressed input is kept until the gate opens.
    #[inline]
    pub(crate) fn has_compressed_input(&self) -> bool {
        match self {
            Self::Whole(_) => false,
            Self::Chunks(chunker) => chunker.has_compressed_input(),
        }
    }

    /// How many bytes have arrived of a message that is being assembled.
    pub(crate) fn arrived(&self) -> usize {
        match self {
            Self::Whole(assembler) => assembler.arrived(),
            // Chunks are handed over as they arrive: longer reads would only make longer chunks.
            Self::Chunks(_) => 0,
        }
    }

    /// Drops the message that is being received, when the connection is over.
    pub(crate) fn clear(&mut self) {
        match self {
            Self::Whole(assembler) => *assembler = Assembler::default(),
            Self::Chunks(chunker) => **chunker = Chunker::default(),
        }
    }
}
