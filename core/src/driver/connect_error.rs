//! Why a client could not connect: at which stage, to whom, and what it was.

use core::fmt;
use core::net::SocketAddr;
use std::io;

use super::environment::EnvironmentError;
use super::redirect::RedirectError;
use super::tunnel::TunnelFault;
use crate::handshake::proxy::{ProxyError, ProxyRequestError};

/// Why a client could not connect. What the server says in the opening handshake is
/// [`Error::Handshake`](super::Error::Handshake) instead.
#[derive(Debug)]
pub struct ConnectError {
    stage: Stage,
    peer: Peer,
    fault: ConnectFault,
    attempts: Vec<(SocketAddr, io::Error)>,
}

impl ConnectError {
    pub(super) fn new(stage: Stage, peer: Peer, fault: ConnectFault) -> Self {
        Self { stage, peer, fault, attempts: Vec::new() }
    }

    pub(super) fn with_attempts(mut self, attempts: Vec<(SocketAddr, io::Error)>) -> Self {
        self.attempts = attempts;
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

    /// Every address that could not be connected to, and why not, in the order in which they failed.
    pub fn attempts(&self) -> &[(SocketAddr, io::Error)] {
        &self.attempts
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} failed: {}", self.stage, self.peer, self.fault)?;
        for (at, (address, error)) in self.attempts.iter().enumerate() {
            let separator = if at == 0 { " (" } else { "; " };
            write!(f, "{separator}{address}: {error}")?;
        }
        if self.attempts.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

impl core::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.fault {
            ConnectFault::Resolve(error) | ConnectFault::Tls(error) | ConnectFault::Io(error) => {
                Some(error)
            }
            ConnectFault::ProxyEnvironment(error) => Some(error),
            ConnectFault::ProxyRequest(error) => Some(error),
            ConnectFault::Proxy(error) => Some(error),
            ConnectFault::Redirect(error) => Some(error),
            ConnectFault::NoAddress | ConnectFault::Unreachable | ConnectFault::TimedOut => None,
        }
    }
}

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
    pub(super) fn new(host: &str, port: u16) -> Self {
        let host =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Self { host, address: None }
    }

    pub(super) fn at(mut self, address: SocketAddr) -> Self {
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
