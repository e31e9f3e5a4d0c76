//! The error for an address, of a server or of a proxy, that is not valid.

use std::fmt;

use tidegate_core::handshake::CredentialsError;

/// Why an address cannot be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UrlError {
    /// The scheme is not one of `ws`, `wss`, `http` and `https`.
    Scheme,
    /// The scheme is `wss`, but the adapter's feature `rustls` is off. Pass a TLS stream of your own
    /// to `client`.
    TlsNotBuilt,
    /// There is a character that must be percent-encoded: a space, a control character or one beyond
    /// ASCII; before the query also a backslash, which browsers read as a slash; in the user name
    /// and the password everything that RFC 3986 §3.2.1 does not allow.
    Character {
        /// The first byte of the character.
        byte: u8,
    },
    /// The host is missing, or it is neither a name nor an IP address.
    Host,
    /// The host ends in a number but is not an IPv4 address of four decimal parts, such as `127.1`,
    /// `0x7f.1` or `2130706433`. Resolvers would read these as addresses.
    NumericHost,
    /// The zone of an IPv6 address is empty, has invalid characters, or does not follow `%25`, as it
    /// does in `[fe80::1%25eth0]` (RFC 6874).
    Zone,
    /// The host is not ASCII: write it in Punycode (`xn--...`). With the feature `idna`: it is not a
    /// valid international name.
    HostNotAscii,
    /// The port is not a number from 1 to 65535.
    Port,
    /// The user name or the password is not percent-encoded UTF-8.
    UserInfo,
    /// The user name or the password cannot be sent: see the error inside.
    Credentials(CredentialsError),
    /// There is a fragment (`#`), which RFC 6455 §3 forbids.
    Fragment,
    /// The scheme of a proxy is neither `http` nor `socks5`.
    ProxyScheme,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the address does not begin with ws://, wss://, http:// or https://",
            Self::TlsNotBuilt => {
                "wss:// needs the feature rustls of the adapter; or hand a TLS stream to client()"
            }
            Self::Character { byte } => {
                return write!(
                    f,
                    "the address has the byte {byte:#04x}, which must be percent-encoded"
                );
            }
            Self::Host => "the host is neither a name nor an IP address",
            Self::NumericHost => {
                "the host ends in a number and is no IPv4 address of four decimal parts"
            }
            Self::Zone => "the zone of the IPv6 address is not one, or does not stand after %25",
            Self::HostNotAscii if cfg!(feature = "idna") => {
                "the host is not a valid international name"
            }
            Self::HostNotAscii => {
                "the host is not ASCII: write it in Punycode (xn--...), or use the feature idna"
            }
            Self::Port => "the port is not a number from 1 to 65535",
            Self::UserInfo => "the user name or the password is not percent-encoded UTF-8",
            Self::Credentials(error) => return error.fmt(f),
            Self::Fragment => "the address has a fragment (#), which it must not",
            Self::ProxyScheme => "the address of a proxy does not begin with http:// or socks5://",
        })
    }
}

impl std::error::Error for UrlError {}

impl From<CredentialsError> for UrlError {
    fn from(error: CredentialsError) -> Self {
        Self::Credentials(error)
    }
}
