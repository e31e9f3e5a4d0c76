//! Tests what clients do until a connection is open: addresses, proxies, TLS, redirects,
//! reconnecting. Each test runs for every adapter on real sockets.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod server;
mod suite;

use core::future::Future;
use core::time::Duration;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tidegate_driver::{ByteStream, Clock, Error, Incoming, Network};

/// What the suite needs from an adapter, apart from its network.
pub(crate) trait Adapter: 'static {
    type Network: Network;

    fn network(tls: Option<Arc<ClientConfig>>) -> Self::Network;
    fn block_on<T>(future: impl Future<Output = T>) -> T;
    fn accept_tls(
        stream: std::net::TcpStream,
        config: Arc<ServerConfig>,
    ) -> impl Future<Output = Result<Incoming<impl ByteStream, impl Clock>, Error>>;
}

macro_rules! adapter {
    ($module:ident, $adapter:ident, $network:ident, $block_on:expr, $stream:expr) => {
        mod $module {
            use super::*;

            struct Here;

            impl Adapter for Here {
                type Network = $adapter::$network;

                fn network(tls: Option<Arc<ClientConfig>>) -> Self::Network {
                    match tls {
                        Some(tls) => $adapter::$network::new().tls(tls),
                        None => $adapter::$network::new(),
                    }
                }

                fn block_on<T>(future: impl Future<Output = T>) -> T {
                    $block_on(future)
                }

                async fn accept_tls(
                    stream: std::net::TcpStream,
                    config: Arc<ServerConfig>,
                ) -> Result<Incoming<impl ByteStream, impl Clock>, Error> {
                    stream.set_nonblocking(true).unwrap();
                    $adapter::accept_tls($stream(stream), config).await
                }
            }

            suite::tests!(Here);
        }
    };
}

adapter!(
    tokio_adapter,
    tidegate_tokio,
    TokioNetwork,
    |future| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(future)
    },
    |stream| tokio::net::TcpStream::from_std(stream).unwrap()
);
adapter!(smol_adapter, tidegate_smol, SmolNetwork, |future| async_io::block_on(future), |stream| {
    async_net::TcpStream::try_from(stream).unwrap()
});
adapter!(
    async_std_adapter,
    tidegate_async_std,
    AsyncStdNetwork,
    |future| async_std::task::block_on(future),
    async_std::net::TcpStream::from
);

/// A server for `localhost` and `127.0.0.1`, and a client that trusts it.
pub(crate) fn certificates() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let names = ["localhost", "127.0.0.1"].map(String::from);
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let provider = Arc::new(default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

/// Long enough for a busy machine, short enough to end a test that hangs.
pub(crate) const SOON: Duration = Duration::from_secs(20);
