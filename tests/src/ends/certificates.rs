//! A server's certificate, and a client configuration that trusts it: created once in a process.

use std::sync::{Arc, LazyLock};

use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::client::Resumption;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// The settings of a server on `127.0.0.1`.
pub fn server_tls() -> Arc<ServerConfig> {
    SETTINGS.0.clone()
}

/// The settings of a client that trusts that server.
pub fn client_tls() -> Arc<ClientConfig> {
    SETTINGS.1.clone()
}

static SETTINGS: LazyLock<(Arc<ServerConfig>, Arc<ClientConfig>)> = LazyLock::new(|| {
    // Ed25519 signatures all have the same length, and no session is resumed. So every TLS session has
    // the same number of bytes.
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let parameters = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let provider = Arc::new(default_provider());
    let mut server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    server.send_tls13_tickets = 0;
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.resumption = Resumption::disabled();
    (Arc::new(server), Arc::new(client))
});
