//! TLS: what is negotiated, what is refused, and how it ends.

use core::error::Error as _;
use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use rustls::ServerConfig;
use tidegate_core::handshake::HandshakeError;
use tidegate_core::{Config, Message, Role};
use tidegate_driver::tls::NotTls;
use tidegate_driver::{Client, ConnectError, ConnectFault, Error, Options, Stage};

use super::{client, connect_error, proxied, says_what_it_knows, talk, tls_client};
use crate::server::{self, echo, flush, once, open, tls};
use crate::{Adapter, SOON, certificates};

/// Echoes over TLS. Returns what was negotiated, and how the client ended the stream: `Ok(0)` means
/// a `close_notify`.
fn echo_tls(stream: TcpStream, config: &Arc<ServerConfig>) -> (Option<Vec<u8>>, usize) {
    let mut stream = tls(stream, config);
    echo(&mut stream).unwrap();
    let agreed = stream.conn.alpn_protocol().map(Vec::from);
    stream.conn.send_close_notify();
    stream.flush().unwrap();
    (agreed, stream.read(&mut [0; 9]).expect("the client says that it ends"))
}

pub(crate) fn tls_both_ways<A: Adapter>() {
    let (mut server, trusting) = certificates();
    Arc::make_mut(&mut server).alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
    let (address, serving) = once(move |stream| echo_tls(stream, &server));
    A::block_on(async {
        let url = format!("wss://localhost:{}/", address.port());
        let socket = tls_client::<A>(&trusting, Options::default()).connect(&url).await.unwrap();
        talk(socket, 1_000_000).await;
    });
    assert_eq!(serving.join().unwrap(), [(Some(b"http/1.1".to_vec()), 0)]);
}

pub(crate) fn tls_through_a_proxy<A: Adapter>() {
    let (server, trusting) = certificates();
    let (server, serving) = once(move |stream| echo_tls(stream, &server));
    let (proxy, carrying) = once(server::http_proxy(server, "HTTP/1.0 200 OK\r\n\r\n"));
    let client = tls_client::<A>(&trusting, proxied(&format!("http://{proxy}")));
    A::block_on(async {
        talk(client.connect("wss://localhost/").await.unwrap(), 1_000_000).await;
    });
    assert!(carrying.join().unwrap()[0].starts_with("CONNECT localhost:443 HTTP/1.1\r\n"));
    serving.join().unwrap();
}

/// The reason inside a TLS error.
fn tls_reason(error: &ConnectError) -> rustls::Error {
    assert_eq!(error.stage(), Stage::Tls, "{error}");
    let ConnectFault::Tls(reason) = error.fault() else { panic!("{error:?}") };
    let reason = reason.get_ref().and_then(|reason| reason.downcast_ref::<rustls::Error>());
    reason.cloned().unwrap_or_else(|| panic!("{error:?}"))
}

pub(crate) fn certificates_are_checked<A: Adapter>() {
    let (server, trusting) = certificates();
    let (_, trusting_others) = certificates();
    for (host, config, expected) in [
        ("127.0.0.1", &trusting, None),
        ("127.0.0.2", &trusting, Some("NotValidForName")),
        ("127.0.0.1", &trusting_others, Some("")),
    ] {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let url = format!("wss://{host}:{}/", listener.local_addr().unwrap().port());
        let server = server.clone();
        let serving = std::thread::spawn(move || echo(tls(listener.accept().unwrap().0, &server)));
        let connected = A::block_on(async {
            let socket = tls_client::<A>(config, Options::default()).connect(&url).await?;
            talk(socket, 1000).await;
            Ok(())
        });
        assert_eq!(serving.join().unwrap().is_ok(), expected.is_none());
        match expected {
            None => connected.unwrap(),
            Some(expected) => {
                let error = connect_error(connected);
                let reason = tls_reason(&error);
                assert!(matches!(reason, rustls::Error::InvalidCertificate(_)), "{reason:?}");
                assert!(format!("{reason:?}").contains(expected), "{reason:?}");
            }
        }
    }
}

pub(crate) fn tls_that_is_none<A: Adapter>() {
    let (_, trusting) = certificates();
    let (address, serving) = once(|mut stream: TcpStream| {
        let _ = stream.read(&mut [0; 1000]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let client = tls_client::<A>(&trusting, Options::default());
    let error = connect_error(A::block_on(client.connect(&format!("wss://{address}/"))));
    assert_eq!(error.stage(), Stage::Tls, "{error}");
    let ConnectFault::Tls(reason) = error.fault() else { panic!("{error:?}") };
    is_not_tls(reason, Role::Server, "use ws://");
    assert_eq!(error.peer().address, Some(address));
    serving.join().unwrap();
}

/// The text says that TLS failed, and rustls's error is the source.
fn is_not_tls(error: &std::io::Error, peer: Role, words: &str) {
    let told = error.get_ref().and_then(|inner| inner.downcast_ref::<NotTls>());
    assert_eq!(told.map(NotTls::peer), Some(peer), "{error:?}");
    assert!(error.to_string().contains(words), "{error}");
    let source = error.source().and_then(|source| source.downcast_ref::<rustls::Error>());
    assert!(matches!(source, Some(rustls::Error::InvalidMessage(_))), "{source:?}");
}

pub(crate) fn plain_to_a_tls_port<A: Adapter>() {
    let (server, _) = certificates();
    let (address, serving) = once(move |stream| {
        // The server answers with an alert.
        tls(stream, &server).read(&mut [0; 9]).unwrap_err();
    });
    let client = client::<A>(Options::default());
    let error = A::block_on(client.connect(&format!("ws://{address}/"))).unwrap_err();
    let Error::Handshake { error, .. } = error else { panic!("{error:?}") };
    assert_eq!(error, HandshakeError::TlsServer);
    serving.join().unwrap();
}

pub(crate) fn tls_takes_no_longer_than_the_timeout<A: Adapter>() {
    let (_, trusting) = certificates();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let options = Options::builder().timeout(Duration::from_millis(200)).build().unwrap();
    let begun = Instant::now();
    for (url, stage) in
        [(format!("wss://{address}"), Stage::Tls), (format!("ws://{address}"), Stage::Handshake)]
    {
        let client = Client::new(A::network(Some(trusting.clone())), options.clone());
        match A::block_on(client.connect(&url)) {
            Err(Error::Connect(error)) => {
                let error = says_what_it_knows(error);
                assert_eq!(error.stage(), stage);
                assert!(matches!(error.fault(), ConnectFault::TimedOut), "{error}");
            }
            Err(Error::Handshake { error: HandshakeError::Timeout, peer, .. }) => {
                assert_eq!(stage, Stage::Handshake);
                assert_eq!(peer.unwrap().address, Some(address));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(begun.elapsed() < SOON);
}

pub(crate) fn truncation_is_not_a_clean_close<A: Adapter>() {
    let (server, trusting) = certificates();
    let (address, serving) = once(move |stream| {
        let mut stream = tls(stream, &server);
        let (_, mut connection) = open(&mut stream).unwrap();
        connection.send("last words").unwrap();
        flush(&mut connection, &mut stream).unwrap();
        // TCP ends without a TLS close_notify, which anybody on the path can cause.
    });
    A::block_on(async {
        let client = tls_client::<A>(&trusting, Options::default());
        let mut socket = client.connect(&format!("wss://{address}/")).await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(Message::text("last words")));
        let error = socket.recv().await.unwrap_err();
        assert!(matches!(&error, Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof));
        assert!(!socket.closed().unwrap().is_clean());
    });
    serving.join().unwrap();
}

/// The adapter on both sides, each in its own thread.
pub(crate) fn a_server_over_tls<A: Adapter>() {
    let (config, trusting) = certificates();
    let (address, serving) = once(move |stream| {
        A::block_on(async {
            let incoming = A::accept_tls(stream, config).await.unwrap();
            let large = Config::builder().max_message_size(20_000_000).build().unwrap();
            let mut socket = incoming.config(large).accept().await.unwrap();
            while let Some(message) = socket.recv().await.unwrap() {
                socket.send(message).await.unwrap();
            }
            assert!(socket.closed().unwrap().is_clean());
        });
    });
    A::block_on(async {
        let large = Config::builder().max_message_size(20_000_000).build().unwrap();
        let client = tls_client::<A>(&trusting, Options::builder().config(large).build().unwrap());
        let socket = client.connect(&format!("wss://{address}/")).await.unwrap();
        talk(socket, 10_000_000).await;
    });
    serving.join().unwrap();

    let (config, _) = certificates();
    let (address, serving) = once(move |stream| {
        A::block_on(async { A::accept_tls(stream, config).await.map(drop).unwrap_err() })
    });
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let error = serving.join().unwrap().remove(0);
    let Error::Tls(error) = error else { panic!("{error:?}") };
    is_not_tls(&error, Role::Client, "on a TLS port");
}
