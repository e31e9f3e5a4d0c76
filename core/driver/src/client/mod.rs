//! From an address to a WebSocket: names, addresses, a proxy, TLS, and one limit for all of it.

pub(crate) mod backoff;
pub(crate) mod environment;
pub(crate) mod happy_eyeballs;
pub(crate) mod host;
pub(crate) mod no_proxy;
pub(crate) mod options;
pub(crate) mod proxy;
pub(crate) mod reconnect;
pub(crate) mod redirect;
pub(crate) mod retry;
pub(crate) mod tunnel;
pub(crate) mod url;

pub use self::backoff::{Backoff, BackoffBuilder};
pub use self::environment::EnvironmentError;
pub use self::options::{Options, OptionsBuilder};
pub use self::proxy::Proxy;
pub use self::reconnect::{FailedAttempt, Reconnect};
pub use self::redirect::RedirectError;
pub use self::url::Url;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::client::happy_eyeballs::dial_any;
use crate::client::host::Host;
use crate::error::Error;
use crate::error::connect::{ConnectError, ConnectFault, Peer, Stage};
use crate::error::url::UrlError;
use crate::io::Clock;
use crate::io::MaybeTls;
use crate::io::Network;
use crate::io::before_deadline;
use crate::trace::Span;
use crate::websocket::WebSocket;
use tidegate_core::Timestamp;
use tidegate_core::handshake::HandshakeError;

/// The WebSocket of a [`Client`].
pub type ClientSocket<N> =
    WebSocket<MaybeTls<<N as Network>::Stream, <N as Network>::Tls>, <N as Network>::Clock>;

/// Makes connections with the same options. A clone shares them.
#[derive(Debug)]
pub struct Client<N> {
    network: Arc<N>,
    options: Arc<Options>,
}

impl<N: Network> Client<N> {
    /// A client on a runtime's network.
    pub fn new(network: N, options: Options) -> Self {
        Self { network: Arc::new(network), options: Arc::new(options) }
    }

    /// Connects to an address such as `wss://example.org/chat?room=1`.
    ///
    /// The addresses of the host are tried, IPv6 and IPv4 in turn, the next one when one has failed
    /// or has not answered for 250 ms (RFC 8305); the first that answers is taken. It is 32 of them
    /// at most, 16 at the same time: [`ConnectError::untried`] tells how many were left out.
    ///
    /// # Errors
    ///
    /// [`Error::Url`]: it is no such address, or it is `wss://` and TLS is not built.
    /// [`Error::Connect`]: the stage, the peer, and what went wrong. [`Error::Handshake`]: the server
    /// refused, or answered wrongly or too late.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, everything is closed.
    pub async fn connect(&self, url: &str) -> Result<ClientSocket<N>, Error> {
        self.connect_to(url.parse()?).await
    }

    /// Connects to an address again and again: see [`Reconnect`].
    ///
    /// # Errors
    ///
    /// [`Error::Url`]: it is no address for a WebSocket.
    pub fn reconnect(&self, url: &str, backoff: Backoff) -> Result<Reconnect<N>, Error> {
        let url = url.parse()?;
        self.check(&url)?;
        Ok(Reconnect::new(self.clone(), url, backoff))
    }

    pub(crate) fn network(&self) -> &N {
        &self.network
    }

    pub(crate) async fn connect_to(&self, url: Url) -> Result<ClientSocket<N>, Error> {
        self.check(&url)?;
        let connected = self.follow(url.clone()).await;
        Span::connected((url.host(), url.port()), &connected);
        connected
    }

    /// Asks one server after the other for as long as they say that it is elsewhere.
    async fn follow(&self, first: Url) -> Result<ClientSocket<N>, Error> {
        let clock = self.network.clock();
        let begin = clock.now();
        let limit = self.options.redirects();
        let mut asked = vec![first.clone()];
        let mut url = first.clone();
        loop {
            let elapsed = clock.now().saturating_duration_since(begin);
            let left = self.options.timeout().map(|timeout| timeout.saturating_sub(elapsed));
            let error = match self.attempt(&url, url.has_origin_of(&first), left).await {
                Err(error) if limit > 0 => error,
                result => return result,
            };
            let Error::Handshake {
                error: HandshakeError::Status { .. },
                response: Some(response),
                peer,
            } = &error
            else {
                return Err(error);
            };
            if !redirect::is_redirect(response) {
                return Err(error);
            }
            let peer = peer.as_deref().cloned().unwrap_or_else(|| peer_of(&url));
            let refused = |why| {
                let fault = ConnectFault::Redirect(why);
                Error::from(ConnectError::new(Stage::Handshake, peer, fault))
            };
            url = match redirect::target(&url, response) {
                Ok(next) if next.has_origin_of(&first) => next.with_credentials_of(&first),
                Ok(next) => next,
                Err(why) => return Err(refused(why)),
            };
            if asked.contains(&url) {
                return Err(refused(RedirectError::Loop));
            }
            if asked.len() > limit {
                return Err(refused(RedirectError::TooMany { limit }));
            }
            asked.push(url.clone());
        }
    }

    /// Checks that the address and the options make a valid request, before anything is sent.
    fn check(&self, url: &Url) -> Result<(), Error> {
        self.options.request(url)?;
        Ok(())
    }

    /// Asks one server.
    async fn attempt(
        &self,
        url: &Url,
        is_trusted: bool,
        left: Option<Duration>,
    ) -> Result<ClientSocket<N>, Error> {
        if url.is_secure() && !self.network.has_tls() {
            return Err(Error::Url(UrlError::TlsNotBuilt));
        }
        let (network, options) = (&*self.network, &*self.options);
        let request = options.request_to(url, is_trusted)?;
        let fail = |stage, peer: &Peer, fault| {
            Err(Error::from(ConnectError::new(stage, peer.clone(), fault)))
        };
        let mut peer = peer_of(url);
        let proxy = match options.proxy_to(url) {
            Ok(proxy) => proxy,
            Err(error) => return fail(Stage::Proxy, &peer, ConnectFault::ProxyEnvironment(error)),
        };
        let mut clock = network.clock();
        let deadline = left.map(|left| clock.now() + left);

        let (host, port) = match &proxy {
            Some(proxy) => (proxy.checked_host(), proxy.port()),
            None => (url.checked_host(), url.port()),
        };
        let (address, stream) = self.reach(&mut clock, deadline, host, port).await?;
        if let Some(proxy) = &proxy {
            let proxy_peer = Peer::new(&host.with_zone(), port).at(address);
            let target = (url.host(), url.port());
            let Some(limits) = options.limits_within(left_of(&clock, deadline)) else {
                return fail(Stage::Proxy, &proxy_peer, ConnectFault::TimedOut);
            };
            let opened = tunnel::through(stream, clock, proxy, target, &limits).await;
            let (stream, kept) = match opened {
                Ok(opened) => opened,
                Err(fault) => return fail(Stage::Proxy, &proxy_peer, fault.into()),
            };
            clock = kept;
            peer = peer.at(address);
            return self.speak(url, request, stream, clock, deadline, peer).await;
        }
        self.speak(url, request, stream, clock, deadline, peer.at(address)).await
    }

    /// Looks a host up and connects to one of its addresses.
    async fn reach(
        &self,
        clock: &mut N::Clock,
        deadline: Option<Timestamp>,
        host: &Host,
        port: u16,
    ) -> Result<(SocketAddr, N::Stream), Error> {
        let network = &*self.network;
        // The name of a link is looked up as a part of the address: the system knows its number.
        let name = host.with_zone();
        let peer = Peer::new(&name, port);
        let fail = |stage, fault| Err(Error::from(ConnectError::new(stage, peer.clone(), fault)));
        let addresses = match host.socket_address(port) {
            Some(address) => vec![address],
            None => {
                match before_deadline(clock, deadline, network.resolve(name.into(), port)).await {
                    Some(Ok(addresses)) => addresses,
                    Some(Err(error)) => return fail(Stage::Resolve, ConnectFault::Resolve(error)),
                    None => return fail(Stage::Resolve, ConnectFault::TimedOut),
                }
            }
        };
        if addresses.is_empty() {
            return fail(Stage::Resolve, ConnectFault::NoAddress);
        }
        let socket = self.options.socket();
        let dial = |address| network.dial(address, socket);
        dial_any(clock, deadline, addresses, dial).await.map_err(|attempts| {
            let is_late = deadline.is_some_and(|deadline| deadline <= clock.now());
            let fault = if is_late { ConnectFault::TimedOut } else { ConnectFault::Unreachable };
            ConnectError::new(Stage::Connect, peer.clone(), fault).with_attempts(attempts).into()
        })
    }

    /// TLS if the address wants it, and the opening handshake.
    async fn speak(
        &self,
        url: &Url,
        request: tidegate_core::handshake::ClientRequest,
        stream: N::Stream,
        mut clock: N::Clock,
        deadline: Option<Timestamp>,
        peer: Peer,
    ) -> Result<ClientSocket<N>, Error> {
        let fail = |stage, peer, fault| Err(ConnectError::new(stage, peer, fault).into());
        let stream = if url.is_secure() {
            let securing = self.network.secure(stream, url.host());
            match before_deadline(&mut clock, deadline, securing).await {
                Some(Ok(stream)) => MaybeTls::Tls(Box::new(stream)),
                Some(Err(error)) => return fail(Stage::Tls, peer, ConnectFault::Tls(error)),
                None => return fail(Stage::Tls, peer, ConnectFault::TimedOut),
            }
        } else {
            MaybeTls::Plain(stream)
        };
        let Some(limits) = self.options.limits_within(left_of(&clock, deadline)) else {
            return fail(Stage::Handshake, peer, ConnectFault::TimedOut);
        };
        let config = self.options.config().clone();
        match crate::client(stream, clock, request, limits, config).await {
            Err(Error::Handshake { error, response, .. }) => {
                Err(Error::Handshake { error, response, peer: Some(Box::new(peer)) })
            }
            Err(Error::Io(error)) => fail(Stage::Handshake, peer, ConnectFault::Io(error)),
            result => result,
        }
    }
}

impl<N> Clone for Client<N> {
    fn clone(&self) -> Self {
        Self { network: self.network.clone(), options: self.options.clone() }
    }
}

fn peer_of(url: &Url) -> Peer {
    Peer::new(&url.checked_host().with_zone(), url.port())
}

fn left_of(clock: &impl Clock, deadline: Option<Timestamp>) -> Option<Duration> {
    deadline.map(|deadline| deadline.saturating_duration_since(clock.now()))
}
