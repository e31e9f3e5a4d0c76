//! A hyper server that echoes over WebSocket: over HTTP/1.1, and over HTTP/2 by the extended CONNECT
//! (RFC 8441). Other requests get a page.
//!
//! `cargo run --release --example hyper_upgrade -p tidegate-tokio --features hyper [address]`
//!
//! Browsers use HTTP/2 only over TLS; other clients can use it without, if they know that the server
//! supports it. With the feature `rustls`, `[address certificate key]` serves TLS with these files.

use core::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tidegate_tokio::hyper::{Socket, UpgradeError, enable_websockets, upgrade};
use tidegate_tokio::{Config, Error};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn core::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = arguments.first().map_or("127.0.0.1:9003", String::as_str);
    let config = config()?;
    let listener = TcpListener::bind(address).await?;
    #[cfg(feature = "rustls")]
    if let [_, certificate, key] = &arguments[..] {
        let acceptor = tls::acceptor(certificate, key)?;
        println!("https://{0}/ and wss://{0}/", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (acceptor, config) = (acceptor.clone(), config.clone());
            tokio::spawn(async move {
                match acceptor.accept(stream).await {
                    Ok(stream) => serve(stream, config).await,
                    Err(error) => eprintln!("{error}"),
                }
            });
        }
    }
    println!("http://{0}/ and ws://{0}/", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream, config.clone()));
    }
}

fn config() -> Result<Arc<Config>, tidegate_tokio::ConfigError> {
    let config = Config::builder().max_message_size(16 * 1024 * 1024);
    #[cfg(feature = "deflate")]
    let config = config.deflate(tidegate_tokio::deflate::DeflateOptions::default());
    Ok(Arc::new(config.build()?))
}

async fn serve<S>(stream: S, config: Arc<Config>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    enable_websockets(&mut builder);
    let service = service_fn(|request| {
        let response = answer(request, config.clone());
        async { Ok::<_, Infallible>(response) }
    });
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    if let Err(error) = serving.await {
        eprintln!("{error}");
    }
}

fn answer(mut request: Request<Incoming>, config: Arc<Config>) -> Response<Full<Bytes>> {
    // Over HTTP/2 a WebSocket begins with a CONNECT, never with a GET.
    let is_page =
        request.version() == Version::HTTP_2 || !request.headers().contains_key("upgrade");
    if request.method() == Method::GET && is_page {
        let page = Response::builder().header("content-type", "text/html; charset=utf-8");
        return page.body(Full::from(PAGE)).expect("a header of letters is valid");
    }
    match accept(&mut request, config) {
        Ok(response) => response.map(|()| Full::default()),
        Err(error) => error.into_response().map(Full::new),
    }
}

fn accept(
    request: &mut Request<Incoming>,
    config: Arc<Config>,
) -> Result<Response<()>, UpgradeError> {
    let mut upgrade = upgrade(request)?.config(config);
    if let Some(chosen) = upgrade.request().select_subprotocol(&["echo"]).map(String::from) {
        upgrade = upgrade.subprotocol(chosen);
    }
    let (response, opening) = upgrade.accept()?;
    tokio::spawn(async move {
        let echoed = async { echo(opening.await?).await };
        if let Err(error) = echoed.await {
            eprintln!("{error}");
        }
    });
    Ok(response)
}

async fn echo(mut socket: Socket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

#[cfg(feature = "rustls")]
mod tls {
    use core::error::Error;
    use std::sync::Arc;

    use tidegate_tokio::rustls::ServerConfig;
    use tidegate_tokio::rustls::crypto::ring;
    use tidegate_tokio::rustls::pki_types::pem::PemObject;
    use tidegate_tokio::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tidegate_tokio::tokio_rustls::TlsAcceptor;

    pub(super) fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor, Box<dyn Error>> {
        let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
        // A client that supports both uses HTTP/2, and then the extended CONNECT for WebSockets.
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

const PAGE: &str =
    "<!doctype html><meta charset=utf-8><title>echo</title><input id=i><pre id=o></pre>
<script>
const socket = new WebSocket(location.origin.replace('http', 'ws'), 'echo')
socket.onmessage = event => o.textContent += event.data + '\\n'
socket.onclose = event => o.textContent += `closed: ${event.code}\\n`
i.onchange = () => { socket.send(i.value); i.value = '' }
</script>
";
