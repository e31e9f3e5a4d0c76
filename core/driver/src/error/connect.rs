//! Why a client could not connect: at which stage, to whom, and what it was.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::client::environment::EnvironmentError;
use crate::client::happy_eyeballs::Failures;
use crate::client::redirect::RedirectError;
use crate::client::tunnel::TunnelFault;
use tidegate_core::handshake::proxy::{ProxyError, ProxyRequestError};

/// Why a client could not connect. What the server says in the opening handshake is
/// [`Error::Handshake`](crate::Error::Handshake) instead.
#[derive(Debug)]
pub struct ConnectError {
    stage: Stage,
    peer: Peer,
    fault: ConnectFault,
    attempts: Vec<(SocketAddr, io::Error)>,
    untried: usize,
}

impl ConnectError {
    pub(crate) fn new(stage: Stage, peer: Peer, fault: ConnectFault) -> Self {
        Self { stage, peer, fault, attempts: Vec::new(), untried: 0 }
    }

    pub(crate) fn with_attempts(mut self, failures: Failures) -> Self {
        self.attempts = failures.attempts;
        self.untried = failures.untried;
        self
    }

    /// How far it had come.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whom it was about: the server, or the proxy while there was only that.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What went wrong.
    pub fn fault(&self) -> &ConnectFault {
        &self.fault
    }

    /// Each address that was tried and could not be connected to, and why not, in the order in which
    /// they failed: 32 at most.
    pub fn attempts(&self) -> &[(SocketAddr, io::Error)] {
        &self.attempts
    }

    /// How many more addresses the name has, which were not tried: beyond the 32, or when time was
    /// up.
    pub fn untried(&self) -> usize {
        self.untried
    }

    /// What to tell of the addresses that failed. A machine without IPv6, or without a route, says
    /// less about the server than a refusal does.
    fn telling_attempt(&self) -> Option<&io::Error> {
        use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable};
        let is_ours = |error: &io::Error| {
            matches!(error.kind(), AddrNotAvailable | HostUnreachable | NetworkUnreachable)
        };
        let errors = || self.attempts.iter().map(|(_, error)| error);
        errors().find(|error| !is_ours(error)).or_else(|| errors().next())
    }

    /// What comes from elsewhere.
    fn foreign(&self) -> Option<&io::Error> {
        match &self.fault {
            ConnectFault::Resolve(error) | ConnectFault::Tls(error) | ConnectFault::Io(error) => {
                Some(error)
            }
            ConnectFault::Unreachable => self.telling_attempt(),
            ConnectFault::NoAddress
            | ConnectFault::ProxyEnvironment(_)
            | ConnectFault::ProxyRequest(_)
            | ConnectFault::Proxy(_)
            | ConnectFault::TimedOut
            | ConnectFault::Redirect(_) => None,
        }
    }

    /// The addresses, those that failed as the source says without a reason of their own.
    fn write_attempts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.foreign().map(ToString::to_string);
        for (at, (address, error)) in self.attempts.iter().take(MAX_SHOWN).enumerate() {
            let separator = if at == 0 { " (" } else { "; " };
            write!(f, "{separator}{address}")?;
            let error = error.to_string();
            if told.as_ref().is_none_or(|told| !error.contains(told)) {
                write!(f, ": {error}")?;
            }
        }
        match self.attempts.len().saturating_sub(MAX_SHOWN) {
            0 => {}
            more => write!(f, "; {more} more that failed")?,
        }
        match self.untried {
            0 => {}
            more => write!(f, "; {more} more that were not tried")?,
        }
        if self.attempts.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

/// The stage, the peer and what is known of the reason. What the system or TLS said is the source.
impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, peer, fault, attempts, untried } = self;
        match (fault, attempts.as_slice()) {
            (ConnectFault::Resolve(_) | ConnectFault::Tls(_) | ConnectFault::Io(_), _) => {
                write!(f, "{stage} {peer} failed")
            }
            (ConnectFault::Unreachable, [(address, _)]) if *untried == 0 => {
                write!(f, "{stage} {} failed", peer.clone().at(*address))
            }
            _ => {
                write!(f, "{stage} {peer} failed: {fault}")?;
                self.write_attempts(f)
            }
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.foreign().map(|error| error as _)
    }
}

/// Enough to see a pattern, and short enough for a line of a log.
const MAX_SHOWN: usize = 8;

/// What a client does until its connection is open, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Looking up the name.
    Resolve,
    /// Connecting to the addresses.
    Connect,
    /// Asking a proxy for a way.
    Proxy,
    /// TLS.
    Tls,
    /// The opening handshake.
    Handshake,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "looking up",
            Self::Connect => "connecting to",
            Self::Proxy => "going through the proxy",
            Self::Tls => "TLS with",
            Self::Handshake => "the opening handshake with",
        })
    }
}

/// Whom a client was talking to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Peer {
    /// The host and the port.
    pub host: String,
    /// The address behind it, if it had come so far; of the proxy, if there is one between.
    pub address: Option<SocketAddr>,
}

impl Peer {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        let host =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Self { host, address: None }
    }

    pub(crate) fn at(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) if address.to_string() != self.host => {
                write!(f, "{} at {address}", self.host)
            }
            _ => f.write_str(&self.host),
        }
    }
}

/// What went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectFault {
    /// The name cannot be looked up.
    Resolve(io::Error),
    /// The name has no address.
    NoAddress,
    /// No address could be connected to: [`ConnectError::attempts`] says why.
    Unreachable,
    /// The environment names a proxy by something that is no address of one, or lists what is
    /// reached without in a way that cannot be understood.
    ProxyEnvironment(EnvironmentError),
    /// The proxy cannot be asked for this host, or with these credentials.
    ProxyRequest(ProxyRequestError),
    /// The proxy gives no way to the server.
    Proxy(ProxyError),
    /// TLS failed, or its certificate did: the reason is the error within.
    Tls(io::Error),
    /// The transport failed.
    Io(io::Error),
    /// It took longer than the `timeout` of the options.
    TimedOut,
    /// The server sent us elsewhere, where we do not go.
    Redirect(RedirectError),
}

impl fmt::Display for ConnectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(error) | Self::Tls(error) | Self::Io(error) => error.fmt(f),
            Self::NoAddress => f.write_str("the name has no address"),
            Self::Unreachable => f.write_str("no address could be connected to"),
            Self::ProxyEnvironment(error) => error.fmt(f),
            Self::ProxyRequest(error) => error.fmt(f),
            Self::Proxy(error) => error.fmt(f),
            Self::TimedOut => f.write_str("it took longer than the timeout of the options"),
            Self::Redirect(error) => error.fmt(f),
        }
    }
}

impl From<TunnelFault> for ConnectFault {
    fn from(fault: TunnelFault) -> Self {
        match fault {
            TunnelFault::Request(error) => Self::ProxyRequest(error),
            TunnelFault::Proxy(error) => Self::Proxy(error),
            TunnelFault::Io(error) => Self::Io(error),
        }
    }
}
