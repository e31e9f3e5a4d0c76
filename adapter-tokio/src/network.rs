//! The network of tokio: names, sockets, and TLS by tokio-rustls.

#[cfg(feature = "rustls")]
use alloc::sync::Arc;
use core::net::SocketAddr;
use std::io;

#[cfg(feature = "rustls")]
use tidegate_driver::tls;
use tidegate_driver::{BoxFuture, Network, SocketOptions};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
#[cfg(feature = "rustls")]
use tokio_rustls::{TlsConnector, rustls::ClientConfig};

use crate::{TokioClock, TokioStream};

/// How a [`Client`](crate::Client) connects on tokio.
#[derive(Clone, Debug, Default)]
pub struct TokioNetwork {
    #[cfg(feature = "rustls")]
    tls: Option<Arc<ClientConfig>>,
}

impl TokioNetwork {
    /// With the default settings of TLS, if that is built.
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses these settings for `wss://`. If they name no protocol (ALPN), `http/1.1` is added.
    #[cfg(feature = "rustls")]
    pub fn tls(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls = Some(tls::with_http1(config));
        self
    }
}

impl Network for TokioNetwork {
    type Stream = TokioStream<TcpStream>;
    type Tls = Tls;
    type Clock = TokioClock;

    fn clock(&self) -> TokioClock {
        TokioClock::new()
    }

    fn resolve(&self, host: String, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(lookup_host((host, port)).await?.collect()) })
    }

    fn dial(
        &self,
        address: SocketAddr,
        options: SocketOptions,
    ) -> BoxFuture<io::Result<Self::Stream>> {
        Box::pin(async move {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            if let Some(local) = options.bind {
                socket.bind(SocketAddr::new(local, 0))?;
            }
            let stream = socket.connect(address).await?;
            stream.set_nodelay(options.nodelay)?;
            Ok(TokioStream::new(stream))
        })
    }

    fn has_tls(&self) -> bool {
        cfg!(feature = "rustls")
    }

    #[cfg(feature = "rustls")]
    fn secure(&self, stream: Self::Stream, host: &str) -> BoxFuture<io::Result<Tls>> {
        let (config, name) = (self.tls.clone(), tls::server_name(host));
        Box::pin(async move {
            let config = config.map_or_else(tls::client_config, Ok)?;
            let connecting = TlsConnector::from(config).connect(name?, stream.into_inner());
            Ok(TokioStream::new(tls::connect(connecting).await?))
        })
    }

    #[cfg(not(feature = "rustls"))]
    fn secure(&self, _: Self::Stream, _: &str) -> BoxFuture<io::Result<Tls>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
}

/// TLS on a TCP stream of tokio.
#[cfg(feature = "rustls")]
pub type Tls = TokioStream<tokio_rustls::client::TlsStream<TcpStream>>;

/// Nothing: TLS is not built.
#[cfg(not(feature = "rustls"))]
pub type Tls = tidegate_driver::NoTls;
