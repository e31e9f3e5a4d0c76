//! Connecting to an address: name lookup, proxy, TLS, opening handshake and redirects, within one
//! timeout.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::client::happy_eyeballs::connect_to_first;
use crate::client::host::Host;
use crate::client::options::Options;
use crate::client::redirect::{is_redirect, redirect_target};
use crate::client::tunnel::open_tunnel;
use crate::client::url::Url;
use crate::error::{ConnectError, ConnectFault, Error, Peer, RedirectError, Stage, UrlError};
use crate::handshake;
use crate::io::{Clock, MaybeTls, Network, before_deadline};
use crate::trace::Span;
use crate::websocket::WebSocket;
use tidegate_core::Timestamp;
use tidegate_core::handshake::{ClientRequest, HandshakeError, Response};

/// The WebSocket of a [`Client`].
pub type ClientSocket<N> =
    WebSocket<MaybeTls<<N as Network>::Stream, <N as Network>::Tls>, <N as Network>::Clock>;

/// Makes connections, all with the same options. Clones share the options.
#[derive(Debug)]
pub struct Client<N> {
    network: Arc<N>,
    options: Arc<Options>,
}

impl<N: Network> Client<N> {
    /// Creates a client on the network of a runtime.
    pub fn new(network: N, options: Options) -> Self {
        Self { network: Arc::new(network), options: Arc::new(options) }
    }

    /// Connects to an address such as `wss://example.org/chat?room=1`.
    ///
    /// Tries the addresses of the host, IPv6 and IPv4 in turn, the next one when one has failed or
    /// has not answered for 250 ms (RFC 8305), and takes the first that answers. It tries 32
    /// addresses at most, 16 at the same time; [`ConnectError::untried`] counts the others.
    ///
    /// # Errors
    ///
    /// [`Error::Url`]: not such an address, or `wss://` without the feature for TLS.
    /// [`Error::Connect`]: which step failed, with which peer, and why. [`Error::Handshake`]: the
    /// server refused, sent an invalid answer, or answered too late.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, everything it has opened is closed.
    pub async fn connect(&self, url: &str) -> Result<ClientSocket<N>, Error> {
        self.connect_to(url.parse()?).await
    }

    pub(super) fn network(&self) -> &N {
        &self.network
    }

    pub(super) async fn connect_to(&self, url: Url) -> Result<ClientSocket<N>, Error> {
        self.check(&url)?;
        let connected = self.follow_redirects(url.clone()).await;
        Span::connected((url.host(), url.port()), &connected);
        connected
    }

    /// Connects, and follows redirects as the options allow.
    async fn follow_redirects(&self, first: Url) -> Result<ClientSocket<N>, Error> {
        let clock = self.network.clock();
        let start = clock.now();
        let limit = self.options.redirects();
        let mut visited = vec![first.clone()];
        let mut url = first.clone();
        loop {
            // All redirects together have one timeout.
            let elapsed = clock.now().saturating_duration_since(start);
            let remaining = self.options.timeout().map(|timeout| timeout.saturating_sub(elapsed));
            // Trust depends on the first address, not on the last one: the application gave its
            // credentials for that server, and a redirect must not carry them to another.
            let error = match self.attempt(&url, url.has_origin_of(&first), remaining).await {
                Err(error) if limit > 0 => error,
                result => return result,
            };
            let Some((response, peer)) = redirect(&error) else { return Err(error) };
            let peer = peer.cloned().unwrap_or_else(|| peer_of(&url));
            let refused = |reason| {
                let fault = ConnectFault::Redirect(reason);
                Error::from(ConnectError::new(Stage::Handshake, peer, fault))
            };
            url = match redirect_target(&url, response) {
                // `Location` never brings credentials of its own. Those of the application are used
                // again.
                Ok(next) if next.has_origin_of(&first) => next.with_credentials_of(&first),
                Ok(next) => next,
                Err(reason) => return Err(refused(reason)),
            };
            if visited.contains(&url) {
                return Err(refused(RedirectError::Loop));
            }
            if visited.len() > limit {
                return Err(refused(RedirectError::TooMany { limit }));
            }
            visited.push(url.clone());
        }
    }

    /// Checks that the address and the options make a valid request, before anything is sent.
    pub(super) fn check(&self, url: &Url) -> Result<(), Error> {
        self.options.request(url)?;
        Ok(())
    }

    /// Connects to one server, without redirects. `is_trusted`: the server may receive credentials.
    async fn attempt(
        &self,
        url: &Url,
        is_trusted: bool,
        remaining: Option<Duration>,
    ) -> Result<ClientSocket<N>, Error> {
        if url.is_secure() && !self.network.has_tls() {
            return Err(Error::Url(UrlError::TlsNotBuilt));
        }
        let (network, options) = (&*self.network, &*self.options);
        let request = options.request_to(url, is_trusted)?;
        let fail = |stage, peer: &Peer, fault| {
            Err(Error::from(ConnectError::new(stage, peer.clone(), fault)))
        };
        let peer = peer_of(url);
        let proxy = match options.proxy_to(url) {
            Ok(proxy) => proxy,
            Err(error) => return fail(Stage::Proxy, &peer, ConnectFault::ProxyEnvironment(error)),
        };
        let mut clock = network.clock();
        let deadline = remaining.map(|remaining| clock.now() + remaining);

        // With a proxy, only the name of the proxy is looked up here. A lookup of the server's name
        // would reveal it to others.
        let (host, port) = match &proxy {
            Some(proxy) => (proxy.checked_host(), proxy.port()),
            None => (url.checked_host(), url.port()),
        };
        let (address, stream) = self.connect_tcp(&mut clock, deadline, host, port).await?;
        let (stream, clock) = match &proxy {
            None => (stream, clock),
            Some(proxy) => {
                let peer = Peer::new(&host.with_zone(), port).at(address);
                let target = (url.host(), url.port());
                let Some(limits) = options.limits_within(time_left(&clock, deadline)) else {
                    return fail(Stage::Proxy, &peer, ConnectFault::TimedOut);
                };
                match open_tunnel(stream, clock, proxy, target, &limits).await {
                    Ok(opened) => opened,
                    Err(fault) => return fail(Stage::Proxy, &peer, fault),
                }
            }
        };
        self.handshake(url, request, stream, clock, deadline, peer.at(address)).await
    }

    /// Looks up a host and connects to one of its addresses.
    async fn connect_tcp(
        &self,
        clock: &mut N::Clock,
        deadline: Option<Timestamp>,
        host: &Host,
        port: u16,
    ) -> Result<(SocketAddr, N::Stream), Error> {
        let network = &*self.network;
        // A zone is looked up together with its address: the system knows the number of an interface.
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
        let connect = |address| network.connect(address, socket);
        connect_to_first(clock, deadline, addresses, connect).await.map_err(|failed| {
            let is_late = deadline.is_some_and(|deadline| deadline <= clock.now());
            let fault = if is_late { ConnectFault::TimedOut } else { ConnectFault::Unreachable };
            ConnectError::new(Stage::Connect, peer.clone(), fault)
                .with_attempts(failed.attempts, failed.untried)
                .into()
        })
    }

    /// Makes the TLS handshake, if the scheme asks for it, and the opening handshake.
    async fn handshake(
        &self,
        url: &Url,
        request: ClientRequest,
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
        let Some(limits) = self.options.limits_within(time_left(&clock, deadline)) else {
            return fail(Stage::Handshake, peer, ConnectFault::TimedOut);
        };
        let config = self.options.config().clone();
        match handshake::client(stream, clock, request, limits, config).await {
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

/// The response and the peer of an error that is a redirect.
fn redirect(error: &Error) -> Option<(&Response, Option<&Peer>)> {
    match error {
        Error::Handshake {
            error: HandshakeError::Status { .. },
            response: Some(response),
            peer,
        } if is_redirect(response) => Some((response, peer.as_deref())),
        _ => None,
    }
}

/// The server of an address, before an IP address is known.
fn peer_of(url: &Url) -> Peer {
    Peer::new(&url.checked_host().with_zone(), url.port())
}

/// The time until the deadline.
fn time_left(clock: &impl Clock, deadline: Option<Timestamp>) -> Option<Duration> {
    deadline.map(|deadline| deadline.saturating_duration_since(clock.now()))
}
