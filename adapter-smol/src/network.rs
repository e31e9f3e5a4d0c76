//! The network of smol: names, sockets, and TLS by futures-rustls.

#[cfg(feature = "rustls")]
use alloc::sync::Arc;
use core::net::SocketAddr;
use std::io;

use async_io::Async;
use async_net::TcpStream;
#[cfg(feature = "rustls")]
use futures_rustls::{TlsConnector, rustls::ClientConfig};
#[cfg(feature = "rustls")]
use tidegate_driver::tls;
use tidegate_driver::{
    BoxFuture, FuturesStream, Network, SocketOptions, begin_connecting, end_connecting,
};

use crate::SmolClock;

/// How a [`Client`](crate::Client) connects on smol.
#[derive(Clone, Debug, Default)]
pub struct SmolNetwork {
    #[cfg(feature = "rustls")]
    tls: Option<Arc<ClientConfig>>,
}

impl SmolNetwork {
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

impl Network for SmolNetwork {
    type Stream = FuturesStream<TcpStream>;
    type Tls = Tls;
    type Clock = SmolClock;

    fn clock(&self) -> SmolClock {
        SmolClock::new()
    }

    fn resolve(&self, host: String, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        Box::pin(async_net::resolve((host, port)))
    }

    fn dial(
        &self,
        address: SocketAddr,
        options: SocketOptions,
    ) -> BoxFuture<io::Result<Self::Stream>> {
        Box::pin(async move {
            let stream = match options.bind {
                None => TcpStream::connect(address).await?,
                Some(local) => {
                    let (stream, begun) = begin_connecting(address, local)?;
                    let stream = Async::new_nonblocking(stream)?;
                    stream.writable().await?;
                    end_connecting(stream.get_ref(), begun)?;
                    stream.into()
                }
            };
            stream.set_nodelay(options.nodelay)?;
            Ok(FuturesStream::new(stream))
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
            Ok(FuturesStream::new(tls::connect(connecting).await?))
        })
    }

    #[cfg(not(feature = "rustls"))]
    fn secure(&self, _: Self::Stream, _: &str) -> BoxFuture<io::Result<Tls>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
}

/// TLS on a TCP stream of smol.
#[cfg(feature = "rustls")]
pub type Tls = FuturesStream<futures_rustls::client::TlsStream<TcpStream>>;

/// Nothing: TLS is not built.
#[cfg(not(feature = "rustls"))]
pub type Tls = tidegate_driver::NoTls;
