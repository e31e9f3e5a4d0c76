//! The command-line options.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tidegate_core::Config;
use tidegate_core::deflate::DeflateOptions;

pub(crate) struct Settings {
    pub(crate) role: String,
    pub(crate) adapter: String,
    /// Where a server listens or a client connects.
    pub(crate) target: String,
    pub(crate) split: bool,
    pub(crate) config: Arc<Config>,
    pub(crate) server_tls: Option<Arc<ServerConfig>>,
    pub(crate) client_tls: Option<Arc<ClientConfig>>,
    pub(crate) pause: Duration,
    /// The limit for resident memory at the peak, in bytes.
    pub(crate) memory_limit: Option<usize>,
}

impl Settings {
    pub(crate) fn parse(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Self, Box<dyn Error>> {
        let role = arguments.next().ok_or("server or client?")?;
        let mut settings = Self {
            role,
            adapter: "tokio".into(),
            target: "127.0.0.1:9001".into(),
            split: false,
            config: Arc::default(),
            server_tls: None,
            client_tls: None,
            pause: Duration::ZERO,
            memory_limit: None,
        };
        let mut has_deflate = true;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--adapter" => settings.adapter = value()?,
                "--split" => settings.split = true,
                "--plain" => has_deflate = false,
                "--tls" => settings.server_tls = Some(server_tls(&value()?, &value()?)?),
                "--ca" => settings.client_tls = Some(client_tls(&value()?)?),
                "--pause" => settings.pause = Duration::from_secs(value()?.parse()?),
                "--memory-limit" => {
                    settings.memory_limit = Some(value()?.parse::<usize>()? * 1024 * 1024);
                }
                unknown if unknown.starts_with('-') => {
                    return Err(format!("no option {unknown}").into());
                }
                _ => settings.target = argument,
            }
        }
        let mut config = Config::builder().max_message_size(MAX_MESSAGE);
        if has_deflate {
            config = config.deflate(DeflateOptions::default());
        }
        settings.config = Arc::new(config.build()?);
        Ok(settings)
    }
}

fn server_tls(certificate: &str, key: &str) -> Result<Arc<ServerConfig>, Box<dyn Error>> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    Ok(Arc::new(config))
}

fn client_tls(authority: &str) -> Result<Arc<ClientConfig>, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority)?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The size of Autobahn's largest messages.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;
