//! The error of a client that could not connect: which step failed, with which peer, and why.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::error::environment::EnvironmentError;
use crate::error::redirect::RedirectError;
use tidegate_core::handshake::proxy::{ProxyError, ProxyRequestError};

/// Why a client could not connect. If the server's answer to the opening handshake is the reason, the
/// error is [`Error::Handshake`](crate::Error::Handshake) instead.
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

    /// Adds the addresses that failed, and how many were not tried.
    pub(crate) fn with_attempts(
        mut self,
        attempts: Vec<(SocketAddr, io::Error)>,
        untried: usize,
    ) -> Self {
        self.attempts = attempts;
        self.untried = untried;
        self
    }

    /// The step that failed.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The peer: the server, or the proxy if that step was about the proxy.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What went wrong.
    pub fn fault(&self) -> &ConnectFault {
        &self.fault
    }

    /// The addresses that were tried, each with its error, in the order in which they failed. There
    /// are 32 at most.
    pub fn attempts(&self) -> &[(SocketAddr, io::Error)] {
        &self.attempts
    }

    /// How many more addresses the name has. They were not tried because there are more than 32, or
    /// because the time was up.
    pub fn untried(&self) -> usize {
        self.untried
    }

    /// The error of the most informative attempt. "No route" or "no IPv6" says something about this
    /// machine, "connection refused" says something about the server.
    fn telling_attempt(&self) -> Option<&io::Error> {
        use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable};
        let is_ours = |error: &io::Error| {
            matches!(error.kind(), AddrNotAvailable | HostUnreachable | NetworkUnreachable)
        };
        let errors = || self.attempts.iter().map(|(_, error)| error);
        errors().find(|error| !is_ours(error)).or_else(|| errors().next())
    }

    /// The error of the system or of the TLS library, if there is one.
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

    /// Writes the addresses. The reason is left out for an address that failed with the same error
    /// as the source, which stands in the chain anyway.
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

/// How many addresses are shown: enough to see a pattern, few enough for one line of a log.
const MAX_SHOWN: usize = 8;

/// The steps of a client until its connection is open, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Looking up the addresses of the host name.
    Resolve,
    /// Connecting to one of the addresses.
    Connect,
    /// Asking a proxy to connect to the server.
    Proxy,
    /// The TLS handshake.
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

/// The other side: a server or a proxy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Peer {
    /// The host and the port.
    pub host: String,
    /// The address that the client connected to, if it got that far. With a proxy it is the
    /// proxy's.
    pub address: Option<SocketAddr>,
}

impl Peer {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        let host =
            // An IPv6 address: without brackets its end could not be told from the port.
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
            // A host that is itself an address is not shown twice.
            Some(address) if address.to_string() != self.host => {
                write!(f, "{} at {address}", self.host)
            }
            _ => f.write_str(&self.host),
        }
    }
}

/// Why a step failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectFault {
    /// Looking up the name failed.
    Resolve(io::Error),
    /// The name has no address.
    NoAddress,
    /// No address could be connected to: [`ConnectError::attempts`] says why.
    Unreachable,
    /// A variable of the environment is not the address of a proxy, or `no_proxy` has an entry that
    /// cannot be parsed.
    ProxyEnvironment(EnvironmentError),
    /// The proxy cannot be asked for this host, or with these credentials.
    ProxyRequest(ProxyRequestError),
    /// The proxy did not connect to the server.
    Proxy(ProxyError),
    /// The TLS handshake failed, for example because of the certificate: see the error inside.
    Tls(io::Error),
    /// The transport failed.
    Io(io::Error),
    /// Connecting took longer than the `timeout` of the options.
    TimedOut,
    /// The server answered with a redirect that is not followed.
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
