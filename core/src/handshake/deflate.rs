//! The seam between the opening handshake and permessage-deflate: what is offered, what is wished,
//! and what both agree on. Without the feature `deflate` there is nothing of each.

use alloc::string::String;

use crate::connection::Connection;
#[cfg(feature = "deflate")]
use crate::deflate::{DeflateOffer, DeflateParams};
use crate::extension::Extension;

/// What a client offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<DeflateOffer>,
}

/// What a server wishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<DeflateParams>,
}

/// What both agree on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Agreed {
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<DeflateParams>,
}

#[cfg(feature = "deflate")]
impl Offer {
    /// The value of `Sec-WebSocket-Extensions`, if anything is offered.
    pub(crate) fn header(self) -> Option<String> {
        self.deflate.map(DeflateOffer::to_header)
    }

    /// What the answer agrees on, or `None` if it does not fit: the client then fails the
    /// handshake (RFC 6455 §4.1, RFC 7692 §7.1).
    pub(crate) fn check(self, answer: &[Extension]) -> Option<Agreed> {
        match (self.deflate, answer) {
            (_, []) => Some(Agreed::default()),
            (Some(offer), [answer]) => Some(Agreed { deflate: Some(offer.check(answer)?) }),
            _ => None,
        }
    }
}

#[cfg(feature = "deflate")]
impl Wishes {
    /// What is agreed on of these offers, and the value of `Sec-WebSocket-Extensions` that says it.
    pub(crate) fn accept(self, offers: &[Extension]) -> (Agreed, Option<String>) {
        match self.deflate.and_then(|wishes| wishes.accept(offers)) {
            Some((params, header)) => (Agreed { deflate: Some(params) }, Some(header)),
            None => (Agreed::default(), None),
        }
    }
}

#[cfg(feature = "deflate")]
impl Agreed {
    pub(crate) fn apply(self, connection: Connection) -> Connection {
        match self.deflate {
            Some(params) => connection.with_deflate(params),
            None => connection,
        }
    }
}

#[cfg(not(feature = "deflate"))]
impl Offer {
    pub(crate) fn header(self) -> Option<String> {
        None
    }

    pub(crate) fn check(self, answer: &[Extension]) -> Option<Agreed> {
        answer.is_empty().then(Agreed::default)
    }
}

#[cfg(not(feature = "deflate"))]
impl Wishes {
    pub(crate) fn accept(self, _offers: &[Extension]) -> (Agreed, Option<String>) {
        (Agreed::default(), None)
    }
}

#[cfg(not(feature = "deflate"))]
impl Agreed {
    pub(crate) fn apply(self, connection: Connection) -> Connection {
        connection
    }
}
