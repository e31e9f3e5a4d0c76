//! What the echo program needs from an adapter and its runtime.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ServerConfig};
use tidegate_driver::{
    ByteStream, Listener, Network, Receiver, Remote, Sender, ServeOptions, WebSocket, tls,
};

use crate::server::echo;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

pub(crate) trait Adapter: 'static {
    type Network: Network;

    fn block_on(future: impl Future<Output = Outcome>) -> Outcome;
    async fn sleep(duration: Duration);

    fn network(tls: Option<Arc<ClientConfig>>) -> Self::Network;
    /// Echoes forever.
    async fn serve(
        address: String,
        options: ServeOptions,
        tls: Option<Arc<ServerConfig>>,
        split: bool,
    ) -> Outcome;
    fn split_spawn<S: ByteStream + Send + 'static>(
        socket: WebSocket<S, <Self::Network as Network>::Clock>,
    ) -> (Sender, Receiver);
}

macro_rules! adapter {
    ($name:ident, $krate:ident, $runtime:ident, $acceptor:ty, $stream:ty, $network:ident,
     $wrap:expr, $block_on:expr, $sleep:expr) => {
        pub(crate) struct $name;

        impl Adapter for $name {
            type Network = $krate::$network;

            fn block_on(future: impl Future<Output = Outcome>) -> Outcome {
                // Boxed, because it is large and some runtimes move it several times.
                ($block_on)(Box::pin(future))
            }

            async fn sleep(duration: Duration) {
                ($sleep)(duration).await;
            }

            fn network(tls: Option<Arc<ClientConfig>>) -> Self::Network {
                let network = $krate::$network::new();
                match tls {
                    Some(tls) => network.tls(tls),
                    None => network,
                }
            }

            async fn serve(
                address: String,
                options: ServeOptions,
                tls: Option<Arc<ServerConfig>>,
                split: bool,
            ) -> Outcome {
                let listener = $runtime::net::TcpListener::bind(&address).await?;
                let scheme = if tls.is_some() { "wss" } else { "ws" };
                println!("ready {scheme}://{}", listener.local_addr()?);
                let server = match tls {
                    None => $krate::serve(listener, options, move |socket, _| {
                        echo::<Self, _>(socket, split)
                    }),
                    Some(tls) => {
                        let listener = Tls(listener, tls::server_with_http1(tls));
                        $krate::serve_on(listener, options, move |socket, _| {
                            echo::<Self, _>(socket, split)
                        })
                    }
                };
                println!("{:?}", server.await);
                Ok(())
            }

            fn split_spawn<S: ByteStream + Send + 'static>(
                socket: WebSocket<S, <Self::Network as Network>::Clock>,
            ) -> (Sender, Receiver) {
                $krate::split_spawn(socket)
            }
        }

        impl Listener for Tls<$runtime::net::TcpListener> {
            type Stream = $stream;
            type Opening = Pin<Box<dyn Future<Output = io::Result<Self::Stream>> + Send>>;

            async fn accept(&mut self) -> io::Result<(Self::Opening, Remote)> {
                let (stream, address) = self.0.accept().await?;
                stream.set_nodelay(true)?;
                let accepting = <$acceptor>::from(Arc::clone(&self.1)).accept(stream);
                let opening = async move { Ok(($wrap)(accepting.await?)) };
                Ok((Box::pin(opening), Remote::Ip(address)))
            }
        }
    };
}

/// A listener that accepts TLS streams.
struct Tls<L>(L, Arc<ServerConfig>);

adapter!(
    Tokio,
    tidegate_tokio,
    tokio,
    tidegate_tokio::tokio_rustls::TlsAcceptor,
    tidegate_tokio::TokioStream<
        tidegate_tokio::tokio_rustls::server::TlsStream<tokio::net::TcpStream>,
    >,
    TokioNetwork,
    tidegate_tokio::TokioStream::new,
    |future| tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future),
    tokio::time::sleep
);
adapter!(
    Smol,
    tidegate_smol,
    smol,
    tidegate_smol::futures_rustls::TlsAcceptor,
    tidegate_smol::FuturesStream<
        tidegate_smol::futures_rustls::server::TlsStream<smol::net::TcpStream>,
    >,
    SmolNetwork,
    tidegate_smol::FuturesStream::new,
    smol::block_on,
    smol::Timer::after
);
adapter!(
    AsyncStd,
    tidegate_async_std,
    async_std,
    tidegate_async_std::futures_rustls::TlsAcceptor,
    tidegate_async_std::AsyncStdStream<
        tidegate_async_std::futures_rustls::server::TlsStream<async_std::net::TcpStream>,
    >,
    AsyncStdNetwork,
    tidegate_async_std::AsyncStdStream::new,
    async_std::task::block_on,
    async_std::task::sleep
);
