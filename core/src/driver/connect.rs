//! From an address to a WebSocket: names, addresses, streams, and one limit for all of it.

use alloc::sync::Arc;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::pin;
use core::task::Poll;
use std::io::{self, ErrorKind};

use super::clock::Clock;
use super::error::Error;
use super::stream::ByteStream;
use super::url::{Url, UrlError};
use super::websocket::WebSocket;
use crate::handshake::{ClientRequest, Limits, RequestError};
use crate::{Config, Timestamp};

/// What a client asks for beside the address, and how its connection is set up.
///
/// ```
/// use tidegate_core::Config;
/// use tidegate_core::driver::{Options, Url};
///
/// let options = Options::new().subprotocol("chat").header("Authorization", "Bearer abc");
/// let url: Url = "ws://example.org/".parse()?;
/// assert!(options.request(&url).is_ok());
/// # Ok::<(), tidegate_core::driver::UrlError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    subprotocols: Vec<String>,
    origin: Option<String>,
    headers: Vec<(String, String)>,
    limits: Limits,
    config: Arc<Config>,
}

impl Options {
    /// The defaults of [`Limits`] and [`Config`], and nothing else asked for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers a subprotocol; the most preferred comes first.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Says the origin, as a browser would.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Adds a header field to the request.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the limits. The timeout is for everything until the connection is open: the name, the
    /// addresses and the opening handshake.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets up the connection. Share one `Arc` between connections.
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// The request to this address.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: a subprotocol, the origin or a header cannot be sent.
    pub fn request(&self, url: &Url) -> Result<ClientRequest, RequestError> {
        let mut request = ClientRequest::new(url.authority(), url.target())?;
        for name in &self.subprotocols {
            request = request.subprotocol(name)?;
        }
        if let Some(origin) = &self.origin {
            request = request.origin(origin)?;
        }
        let has_authorization =
            self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Authorization"));
        // The application's own word counts for more than the address's.
        if let Some(credentials) = url.credentials().filter(|_| !has_authorization) {
            request = request.header("Authorization", &credentials.to_header())?;
        }
        for (name, value) in &self.headers {
            request = request.header(name, value)?;
        }
        Ok(request)
    }
}

/// Connects to an address with what a runtime brings: `addresses` looks the name up, `dial` connects
/// to one address. They are tried in turn, each for its share of the time that is left.
///
/// # Errors
///
/// As [`client`](super::client); [`Error::Request`]; and [`Error::Io`] of the last address that was
/// tried, [`ErrorKind::TimedOut`] if time was up.
///
/// # Cancel safety
///
/// Cancelled, everything is closed.
pub async fn connect<S, C, D>(
    url: &Url,
    options: Options,
    mut clock: C,
    addresses: impl Future<Output = io::Result<Vec<SocketAddr>>>,
    dial: impl Fn(SocketAddr) -> D,
) -> Result<WebSocket<S, C>, Error>
where
    S: ByteStream,
    C: Clock,
    D: Future<Output = io::Result<S>>,
{
    if url.is_secure() {
        return Err(Error::Url(UrlError::TlsNotBuilt));
    }
    let request = options.request(url)?;
    let Options { limits, config, .. } = options;
    let deadline = limits.timeout().map(|timeout| clock.now() + timeout);
    let addresses = within(&mut clock, deadline, addresses).await?;
    let stream = dial_any(&mut clock, deadline, &addresses, dial).await?;
    let left = deadline.map(|deadline| deadline.saturating_duration_since(clock.now()));
    // No time left is no valid limit.
    let limits = limits.with_timeout(left).map_err(|_| Error::Io(ErrorKind::TimedOut.into()))?;
    super::client(stream, clock, request, limits, config).await
}

async fn dial_any<S, D: Future<Output = io::Result<S>>>(
    clock: &mut impl Clock,
    deadline: Option<Timestamp>,
    addresses: &[SocketAddr],
    dial: impl Fn(SocketAddr) -> D,
) -> io::Result<S> {
    let mut failure = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for (tried, address) in addresses.iter().enumerate() {
        // One address that swallows everything does not take the time of the others.
        let left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let share = deadline.map(|deadline| {
            let now = clock.now();
            now + deadline.saturating_duration_since(now) / left
        });
        match within(clock, share, dial(*address)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Waits for a future until the deadline.
async fn within<T>(
    clock: &mut impl Clock,
    deadline: Option<Timestamp>,
    future: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if let Poll::Ready(result) = future.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        let Some(deadline) = deadline else { return Poll::Pending };
        if clock.poll_deadline(cx, deadline).is_pending() {
            return Poll::Pending;
        }
        if clock.now() >= deadline {
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        // The timer was early, and is asked again.
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}
