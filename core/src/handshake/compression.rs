//! Agreement on permessage-deflate in the opening handshake. Without the feature `deflate` nothing is
//! offered and nothing is agreed on.

use alloc::string::String;

use crate::connection::Connection;
#[cfg(feature = "deflate")]
use crate::deflate::{DeflateOffer, DeflateParams};
use crate::extension::Extension;

/// The compression that a client offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OfferedCompression {
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<DeflateOffer>,
}

/// The compression that a server is ready to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AcceptableCompression {
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<DeflateParams>,
}

/// The compression that client and server have agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(unnameable_types, reason = "nobody else can implement `OpeningSteps`")]
pub struct AgreedCompression {
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<DeflateParams>,
}

#[cfg(feature = "deflate")]
impl OfferedCompression {
    /// The value of `Sec-WebSocket-Extensions`, if anything is offered.
    pub(crate) fn header(self) -> Option<String> {
        self.deflate.map(DeflateOffer::to_header)
    }

    /// What the server's answer agrees on. `None` if the answer does not fit the offer: the client
    /// then fails the handshake (RFC 6455 §4.1, RFC 7692 §7.1).
    pub(crate) fn check(self, answer: &[Extension]) -> Option<AgreedCompression> {
        match (self.deflate, answer) {
            (_, []) => Some(AgreedCompression::default()),
            // Only one extension was offered, so an answer with two of them accepts something that
            // was not.
            (Some(offer), [answer]) => {
                Some(AgreedCompression { deflate: Some(offer.check(answer)?) })
            }
            _ => None,
        }
    }
}

#[cfg(feature = "deflate")]
impl AcceptableCompression {
    /// What the server agrees on of these offers, and the value of `Sec-WebSocket-Extensions` that
    /// tells the client.
    pub(crate) fn answer(self, offers: &[Extension]) -> (AgreedCompression, Option<String>) {
        match self.deflate.and_then(|acceptable| acceptable.accept(offers)) {
            Some((params, header)) => (AgreedCompression { deflate: Some(params) }, Some(header)),
            None => (AgreedCompression::default(), None),
        }
    }
}

#[cfg(feature = "deflate")]
impl AgreedCompression {
    pub(crate) fn apply(self, connection: Connection) -> Connection {
        match self.deflate {
            Some(params) => connection.with_deflate(params),
            None => connection,
        }
    }
}

#[cfg(not(feature = "deflate"))]
impl OfferedCompression {
    pub(crate) fn header(self) -> Option<String> {
        None
    }

    pub(crate) fn check(self, answer: &[Extension]) -> Option<AgreedCompression> {
        answer.is_empty().then(AgreedCompression::default)
    }
}

#[cfg(not(feature = "deflate"))]
impl AcceptableCompression {
    pub(crate) fn answer(self, _offers: &[Extension]) -> (AgreedCompression, Option<String>) {
        (AgreedCompression::default(), None)
    }
}

#[cfg(not(feature = "deflate"))]
impl AgreedCompression {
    pub(crate) fn apply(self, connection: Connection) -> Connection {
        connection
    }
}
