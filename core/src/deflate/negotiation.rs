//! The parameters of permessage-deflate, and how client and server agree on them (RFC 7692 §7.1).

use alloc::format;
use alloc::string::String;

use crate::extension::Extension;

/// The parameters that client and server have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "RFC 7692 §7.1 defines these four")]
pub struct DeflateParams {
    /// The server begins every message with an empty window.
    pub server_no_context_takeover: bool,
    /// The client begins every message with an empty window.
    pub client_no_context_takeover: bool,
    /// The size of the server's window is at most two to the power of this: 8 to 15.
    pub server_max_window_bits: u8,
    /// The size of the client's window is at most two to the power of this: 8 to 15.
    pub client_max_window_bits: u8,
}

/// The parameters that a client offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[allow(clippy::exhaustive_structs, reason = "RFC 7692 §7.1 defines these four")]
pub struct DeflateOffer {
    /// Asks the server to begin every message with an empty window.
    pub server_no_context_takeover: bool,
    /// Announces that the client will begin every message with an empty window.
    pub client_no_context_takeover: bool,
    /// Asks the server for a window of at most two to the power of this.
    pub server_max_window_bits: Option<u8>,
    /// Whether the server may limit the client's window.
    pub client_max_window_bits: ClientWindow,
}

/// The parameter `client_max_window_bits` of an offer: absent, without a value, or with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[allow(clippy::exhaustive_enums, reason = "RFC 7692 §7.1.2.2 knows these three")]
pub enum ClientWindow {
    /// Absent: the server must not ask the client to limit its window.
    #[default]
    NotOffered,
    /// Without a value: the server may ask for any window size.
    Any,
    /// With a value: the client uses at most this window, and the server may ask for a smaller one.
    AtMost(u8),
}

impl Default for DeflateParams {
    /// Context takeover and the full window in both directions.
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: 15,
            client_max_window_bits: 15,
        }
    }
}

impl DeflateOffer {
    /// Whether the window sizes are valid (RFC 7692 §7.1.2).
    pub(crate) fn is_valid(self) -> bool {
        let client = match self.client_max_window_bits {
            ClientWindow::AtMost(bits) => Some(bits),
            ClientWindow::NotOffered | ClientWindow::Any => None,
        };
        [self.server_max_window_bits, client].iter().flatten().all(|bits| (8..=15).contains(bits))
    }

    /// The element of `Sec-WebSocket-Extensions` that makes this offer.
    pub(crate) fn to_header(self) -> String {
        let mut header = String::from(NAME);
        flags(&mut header, self.server_no_context_takeover, self.client_no_context_takeover);
        if let Some(bits) = self.server_max_window_bits {
            header += &format!("; {SERVER_BITS}={bits}");
        }
        match self.client_max_window_bits {
            ClientWindow::NotOffered => {}
            ClientWindow::Any => header += &format!("; {CLIENT_BITS}"),
            ClientWindow::AtMost(bits) => header += &format!("; {CLIENT_BITS}={bits}"),
        }
        header
    }

    /// The parameters that the server's answer agrees on. `None` if the answer does not fit the offer:
    /// the client then "MUST fail the connection" (RFC 7692 §7.1).
    pub(crate) fn check(self, answer: &Extension) -> Option<DeflateParams> {
        let answer = Parsed::read(answer)?;
        let server_bits = match (answer.server_bits, self.server_max_window_bits) {
            (None, None) => 15,
            (Some(Bits::Value(bits)), None) => bits,
            (Some(Bits::Value(bits)), Some(most)) if bits <= most => bits,
            _ => return None,
        };
        let client_bits = match (answer.client_bits, self.client_max_window_bits) {
            (None, ClientWindow::AtMost(bits)) => bits,
            (None, _) => 15,
            (Some(Bits::Value(bits)), ClientWindow::Any) => bits,
            (Some(Bits::Value(bits)), ClientWindow::AtMost(most)) if bits <= most => bits,
            _ => return None,
        };
        if self.server_no_context_takeover && !answer.server_no_context_takeover {
            return None;
        }
        Some(DeflateParams {
            server_no_context_takeover: answer.server_no_context_takeover,
            client_no_context_takeover: answer.client_no_context_takeover
                || self.client_no_context_takeover,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
        })
    }
}

impl DeflateParams {
    /// Accepts the first offer that is compatible with these parameters, the server's. Returns the
    /// agreed parameters, and the element of `Sec-WebSocket-Extensions` that tells the client. Offers
    /// come in the client's order of preference; an invalid one is declined (RFC 7692 §7.1).
    pub(crate) fn accept(self, offers: &[Extension]) -> Option<(Self, String)> {
        offers.iter().find_map(|offer| self.accept_one(&Parsed::read(offer)?))
    }

    fn accept_one(self, offer: &Parsed) -> Option<(Self, String)> {
        // The application may have set any number: an invalid size becomes the nearest valid one.
        let valid = |bits: u8| bits.clamp(8, 15);
        let (most_server, most_client) =
            (valid(self.server_max_window_bits), valid(self.client_max_window_bits));
        let server_bits = match offer.server_bits {
            None => most_server,
            Some(Bits::Value(bits)) => bits.min(most_server),
            Some(Bits::NoValue) => return None,
        };
        // Only a client that has sent the parameter may be asked to limit its window (§7.1.2.2).
        let client_bits = match offer.client_bits {
            None => None,
            Some(Bits::NoValue) => Some(most_client),
            Some(Bits::Value(bits)) => Some(bits.min(most_client)),
        };
        let agreed = Self {
            server_no_context_takeover: self.server_no_context_takeover
                || offer.server_no_context_takeover,
            // The client may do this without agreement. Agreeing on it frees the server from keeping a
            // window for it.
            client_no_context_takeover: self.client_no_context_takeover
                || offer.client_no_context_takeover,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits.unwrap_or(15),
        };

        let mut header = String::from(NAME);
        flags(&mut header, agreed.server_no_context_takeover, agreed.client_no_context_takeover);
        if server_bits < 15 || offer.server_bits.is_some() {
            header += &format!("; {SERVER_BITS}={server_bits}");
        }
        if let Some(bits) = client_bits.filter(|bits| *bits < 15) {
            header += &format!("; {CLIENT_BITS}={bits}");
        }
        Some((agreed, header))
    }
}

/// An element of the header, parsed by the rules that offers and answers share.
#[derive(Default)]
struct Parsed {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_bits: Option<Bits>,
    client_bits: Option<Bits>,
}

#[derive(Clone, Copy)]
enum Bits {
    NoValue,
    Value(u8),
}

impl Parsed {
    /// `None` if it is another extension, or has an unknown parameter, an invalid value, or a
    /// parameter twice.
    fn read(extension: &Extension) -> Option<Self> {
        if extension.name() != NAME {
            return None;
        }
        let mut parsed = Self::default();
        for (name, value) in extension.parameters() {
            let again = match (name, value) {
                (SERVER_TAKEOVER, None) => {
                    core::mem::replace(&mut parsed.server_no_context_takeover, true)
                }
                (CLIENT_TAKEOVER, None) => {
                    core::mem::replace(&mut parsed.client_no_context_takeover, true)
                }
                (SERVER_BITS, _) => parsed.server_bits.replace(Bits::read(value)?).is_some(),
                (CLIENT_BITS, _) => parsed.client_bits.replace(Bits::read(value)?).is_some(),
                _ => return None,
            };
            if again {
                return None;
            }
        }
        Some(parsed)
    }
}

impl Bits {
    /// "A decimal integer value without leading zeroes between 8 to 15 inclusive" (RFC 7692
    /// §7.1.2.1).
    fn read(value: Option<&str>) -> Option<Self> {
        Some(match value {
            None => Self::NoValue,
            Some("8") => Self::Value(8),
            Some("9") => Self::Value(9),
            Some("10") => Self::Value(10),
            Some("11") => Self::Value(11),
            Some("12") => Self::Value(12),
            Some("13") => Self::Value(13),
            Some("14") => Self::Value(14),
            Some("15") => Self::Value(15),
            Some(_) => return None,
        })
    }
}

fn flags(header: &mut String, server: bool, client: bool) {
    for (name, _) in [(SERVER_TAKEOVER, server), (CLIENT_TAKEOVER, client)].iter().filter(|f| f.1) {
        header.push_str("; ");
        header.push_str(name);
    }
}

/// The name in `Sec-WebSocket-Extensions`.
pub(crate) const NAME: &str = "permessage-deflate";
const SERVER_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_BITS: &str = "server_max_window_bits";
const CLIENT_BITS: &str = "client_max_window_bits";
