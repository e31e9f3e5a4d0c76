//! The tests. Each runs for each adapter.

use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use rustls::{ClientConfig, ServerConfig};
use tidegate_core::driver::{
    Backoff, ByteStream, Client, Clock, ConnectError, ConnectFault, Error, Options, Peer, Proxy,
    RedirectError, Stage, WebSocket,
};
use tidegate_core::handshake::HandshakeError;
use tidegate_core::handshake::proxy::ProxyError;
use tidegate_core::{CloseCode, Config, Message};

use crate::server::{self, answer, echo, flush, listen, once, open, redirect, tls};
use crate::{Adapter, SOON, certificates};

macro_rules! tests {
    ($adapter:ty: $($name:ident),+ $(,)?) => {$(
        #[test]
        fn $name() {
            $crate::suite::$name::<$adapter>();
        }
    )+};
    ($adapter:ty) => {
        $crate::suite::tests!($adapter:
            an_echo_with_credentials_and_from_an_address,
            every_address_is_tried,
            a_name_that_does_not_resolve,
            a_refusal_names_the_address,
            an_http_proxy,
            a_proxy_that_refuses,
            a_socks_proxy_gets_the_name,
            tls_both_ways,
            tls_through_a_proxy,
            certificates_are_checked,
            tls_that_is_none,
            tls_takes_no_longer_than_the_timeout,
            truncation_is_no_clean_close,
            a_server_over_tls,
            redirections_are_followed_without_credentials,
            redirections_that_are_not_followed,
            reconnecting,
            reconnecting_gives_up,
            reconnecting_is_cancelled_and_goes_on,
        );
    };
}
pub(crate) use tests;

fn client<A: Adapter>(options: Options) -> Client<A::Network> {
    Client::new(A::network(None), options.timeout(SOON))
}

fn tls_client<A: Adapter>(config: &Arc<ClientConfig>, options: Options) -> Client<A::Network> {
    Client::new(A::network(Some(config.clone())), options.timeout(SOON))
}

fn connect_error<T>(result: Result<T, Error>) -> Box<ConnectError> {
    match result {
        Ok(_) => panic!("it connects"),
        Err(Error::Connect(error)) => error,
        Err(error) => panic!("{error:?}"),
    }
}

/// Says something, hears it, and closes.
async fn talk<S: ByteStream, C: Clock>(mut socket: WebSocket<S, C>, size: usize) {
    for message in [Message::text("hello"), Message::binary(vec![7; size])] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(message));
    }
    assert!(socket.close(CloseCode::NORMAL, "").await.unwrap().is_clean());
}

pub(crate) fn an_echo_with_credentials_and_from_an_address<A: Adapter>() {
    let (address, serving) = once(|stream| (stream.peer_addr().unwrap(), echo(stream).unwrap()));
    // On Linux the whole of 127.0.0.0/8 is local.
    let local = if cfg!(target_os = "linux") { "127.0.0.2" } else { "127.0.0.1" };
    let client = client::<A>(Options::new().bind(Some(local.parse().unwrap())).nodelay(false));
    A::block_on(async {
        talk(client.connect(&format!("ws://me:a%40b@{address}/x?y")).await.unwrap(), 1000).await;
    });
    let (peer, request) = serving.join().unwrap().remove(0);
    assert_eq!(peer.ip().to_string(), local);
    assert_eq!(request.target(), "/x?y");
    assert_eq!(request.headers().get("Authorization"), Some("Basic bWU6YUBi"));
    assert_eq!(request.headers().get("Host"), Some(address.to_string().as_str()));

    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = connect_error(A::block_on(client.connect(&format!("ws://{unused}/"))));
    assert_eq!(error.attempts()[0].1.kind(), ErrorKind::ConnectionRefused, "{error}");
}

/// `localhost` may be `::1` as well, where nobody listens.
pub(crate) fn every_address_is_tried<A: Adapter>() {
    let (address, serving) = once(|stream| echo(stream).unwrap());
    A::block_on(async {
        let url = format!("ws://localhost:{}/", address.port());
        talk(client::<A>(Options::new()).connect(&url).await.unwrap(), 1000).await;
    });
    serving.join().unwrap();
}

pub(crate) fn a_name_that_does_not_resolve<A: Adapter>() {
    let error = connect_error(A::block_on(
        client::<A>(Options::new()).connect("ws://does-not-exist.invalid:81/"),
    ));
    assert_eq!((error.stage(), &*error.peer().host), (Stage::Resolve, "does-not-exist.invalid:81"));
    assert!(matches!(error.fault(), ConnectFault::Resolve(_)), "{error}");
}

pub(crate) fn a_refusal_names_the_address<A: Adapter>() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error =
        connect_error(A::block_on(client::<A>(Options::new()).connect(&format!("ws://{unused}/"))));
    assert!(matches!(error.fault(), ConnectFault::Unreachable), "{error}");
    assert_eq!((error.stage(), &error.peer().host), (Stage::Connect, &unused.to_string()));
    let [(address, why)] = error.attempts() else { panic!("{error}") };
    assert_eq!((*address, why.kind()), (unused, ErrorKind::ConnectionRefused));
    assert!(error.to_string().starts_with(&format!("connecting to {unused} failed: ")), "{error}");
}

fn proxied(proxy: &str) -> Options {
    Options::new().proxy(proxy.parse::<Proxy>().unwrap())
}

pub(crate) fn an_http_proxy<A: Adapter>() {
    let (server, serving) = once(|stream| echo(stream).unwrap());
    let (proxy, carrying) = once(server::http_proxy(server, "HTTP/1.1 200 OK\r\nA: b\r\n\r\n"));
    let options = proxied(&format!("http://me:s%40cret!@{proxy}"));
    A::block_on(async {
        talk(client::<A>(options).connect("ws://chat.invalid/").await.unwrap(), 100_000).await;
    });
    assert_eq!(
        carrying.join().unwrap()[0],
        "CONNECT chat.invalid:80 HTTP/1.1\r\nHost: chat.invalid:80\r\n\
         Proxy-Authorization: Basic bWU6c0BjcmV0IQ==\r\n\r\n"
    );
    let request = serving.join().unwrap().remove(0);
    assert_eq!(request.headers().get("Host"), Some("chat.invalid"));
    assert_eq!(request.headers().get("Proxy-Authorization"), None);
}

pub(crate) fn a_proxy_that_refuses<A: Adapter>() {
    let nowhere = "127.0.0.1:1".parse().unwrap();
    for (text, fault) in [
        ("HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n", ProxyError::Status { status: 407 }),
        ("HTTP/1.1 502 No\r\n\r\n", ProxyError::Status { status: 502 }),
        ("HTTP/1.1 ", ProxyError::EndOfStream),
        ("SSH-2.0\r\n", ProxyError::Malformed { what: "HTTP version" }),
    ] {
        let (proxy, refusing) = once(server::http_proxy(nowhere, text));
        let client = client::<A>(proxied(&format!("http://{proxy}")));
        let error = connect_error(A::block_on(client.connect("wss://chat.invalid/")));
        assert_eq!((error.stage(), &error.peer().host), (Stage::Proxy, &proxy.to_string()));
        assert_eq!(error.peer().address, Some(proxy));
        assert!(matches!(error.fault(), ConnectFault::Proxy(why) if *why == fault), "{error}");
        refusing.join().unwrap();
    }
}

pub(crate) fn a_socks_proxy_gets_the_name<A: Adapter>() {
    let (server, serving) = once(|stream| echo(stream).unwrap());
    let (proxy, carrying) = once(server::socks_proxy(server));
    let options = proxied(&format!("socks5://me:s%40cret!@{proxy}"));
    A::block_on(async {
        talk(client::<A>(options).connect("ws://chat.invalid:81/").await.unwrap(), 100_000).await;
    });
    assert_eq!(carrying.join().unwrap(), ["chat.invalid:81"]);
    serving.join().unwrap();
}

/// Echoes over TLS. Gives what was agreed on, and how the client ended: `Ok(0)` behind a
/// `close_notify`.
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
        let socket = tls_client::<A>(&trusting, Options::new()).connect(&url).await.unwrap();
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

/// The reason within an error of TLS.
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
            let socket = tls_client::<A>(config, Options::new()).connect(&url).await?;
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
    let client = tls_client::<A>(&trusting, Options::new());
    let error = connect_error(A::block_on(client.connect(&format!("wss://{address}/"))));
    let reason = tls_reason(&error);
    assert!(matches!(reason, rustls::Error::InvalidMessage(_)), "{reason:?}");
    assert_eq!(error.peer().address, Some(address));
    serving.join().unwrap();
}

pub(crate) fn tls_takes_no_longer_than_the_timeout<A: Adapter>() {
    let (_, trusting) = certificates();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let options = Options::new().timeout(Duration::from_millis(200));
    let begun = Instant::now();
    for (url, stage) in
        [(format!("wss://{address}"), Stage::Tls), (format!("ws://{address}"), Stage::Handshake)]
    {
        let client = Client::new(A::network(Some(trusting.clone())), options.clone());
        match A::block_on(client.connect(&url)) {
            Err(Error::Connect(error)) => {
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

pub(crate) fn truncation_is_no_clean_close<A: Adapter>() {
    let (server, trusting) = certificates();
    let (address, serving) = once(move |stream| {
        let mut stream = tls(stream, &server);
        let (_, mut connection) = open(&mut stream).unwrap();
        connection.send("last words").unwrap();
        flush(&mut connection, &mut stream).unwrap();
        // TCP ends, and TLS does not say so: anybody on the way can do that.
    });
    A::block_on(async {
        let client = tls_client::<A>(&trusting, Options::new());
        let mut socket = client.connect(&format!("wss://{address}/")).await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(Message::text("last words")));
        let error = socket.recv().await.unwrap_err();
        assert!(matches!(&error, Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof));
        assert!(!socket.closed().unwrap().is_clean());
    });
    serving.join().unwrap();
}

/// The adapter on both sides, each in its thread.
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
        let client = tls_client::<A>(&trusting, Options::new().config(large));
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
    assert!(matches!(error, Error::Tls(_)), "{error:?}");
}

pub(crate) fn redirections_are_followed_without_credentials<A: Adapter>() {
    let (other, serving) = once(|stream| echo(stream).unwrap());
    let location = format!("http://mallory:x@{other}/there#here");
    let (first, redirecting) =
        listen(vec![redirect(302, "next?x=1"), redirect(307, &location), redirect(301, "/")]);
    let options = Options::new().header("Cookie", "a=b").header("X-Name", "value").redirects(2);
    let url = format!("ws://me:secret@{first}/a/b");
    A::block_on(async {
        talk(client::<A>(options).connect(&url).await.unwrap(), 1000).await;
    });
    // Off, a redirection is an answer like any other.
    let error = A::block_on(client::<A>(Options::new()).connect(&url)).unwrap_err();
    let Error::Handshake { error, response, .. } = error else { panic!("{error:?}") };
    assert_eq!(error, HandshakeError::Status { status: 301 });
    assert_eq!(response.unwrap().headers().get("Location"), Some("/"));

    let heads = redirecting.join().unwrap();
    for (head, target) in heads.iter().zip(["/a/b", "/a/next?x=1"]) {
        assert!(head.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{head}");
        assert!(head.contains("Authorization: Basic bWU6c2VjcmV0\r\n"), "{head}");
        assert!(head.contains("Cookie: a=b\r\n"), "{head}");
    }
    let request = serving.join().unwrap().remove(0);
    assert_eq!(request.target(), "/there");
    assert_eq!(request.headers().get("Authorization"), None);
    assert_eq!(request.headers().get("Cookie"), None);
    assert_eq!(request.headers().get("X-Name"), Some("value"));
}

pub(crate) fn redirections_that_are_not_followed<A: Adapter>() {
    let refused = |answers: Vec<_>, expected| {
        let (address, redirecting) = listen(answers);
        let client = client::<A>(Options::new().redirects(2));
        let error = connect_error(A::block_on(client.connect(&format!("ws://{address}/"))));
        assert!(
            matches!(error.fault(), ConnectFault::Redirect(why) if *why == expected),
            "{error}"
        );
        let peer = Peer::clone(error.peer());
        assert_eq!((error.stage(), peer.address), (Stage::Handshake, Some(address)));
        redirecting.join().unwrap();
    };
    refused(vec![redirect(302, "/")], RedirectError::Loop);
    refused(vec![redirect(308, "/a"), redirect(303, "/#x")], RedirectError::Loop);
    refused(
        vec![redirect(302, "/1"), redirect(302, "/2"), redirect(302, "/3")],
        RedirectError::TooMany { limit: 2 },
    );
    refused(vec![redirect(302, "ftp://x/")], RedirectError::Location);
    let bare = "HTTP/1.1 302 There\r\nContent-Length: 0\r\n\r\n";
    refused(vec![answer(bare.into())], RedirectError::Location);

    let (server, trusting) = certificates();
    let (address, redirecting) = once(move |stream| {
        let mut stream = tls(stream, &server);
        server::head(&mut stream);
        let answer = "HTTP/1.1 302 There\r\nLocation: ws://localhost/\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let client = tls_client::<A>(&trusting, Options::new().redirects(9));
    let error = connect_error(A::block_on(client.connect(&format!("wss://{address}/"))));
    assert!(matches!(error.fault(), ConnectFault::Redirect(RedirectError::Downgrade)), "{error}");
    redirecting.join().unwrap();
}

fn quick() -> Backoff {
    Backoff::new().initial(Duration::from_millis(20)).maximum(Duration::from_millis(50))
}

pub(crate) fn reconnecting<A: Adapter>() {
    // Cut behind the handshake, refused, and then it holds.
    let (address, serving) = listen(vec![
        Box::new(|mut stream: TcpStream| {
            let (_, mut connection) = open(&mut stream).unwrap();
            flush(&mut connection, &mut stream).unwrap();
        }),
        Box::new(|stream: TcpStream| drop(stream)),
        Box::new(|stream: TcpStream| drop(echo(stream).unwrap())),
    ]);
    A::block_on(async {
        let client = client::<A>(Options::new());
        let mut connections = client.reconnect(&format!("ws://{address}/"), quick()).unwrap();
        let mut first = connections.next().await.unwrap().unwrap();
        assert!(first.recv().await.is_err());
        assert_eq!(connections.failures(), 1);
        let second = connections.next().await.unwrap().unwrap();
        assert_eq!(connections.failures(), 3);
        assert!(connections.last_error().is_none());
        talk(second, 1000).await;
    });
    serving.join().unwrap();
}

pub(crate) fn reconnecting_gives_up<A: Adapter>() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    A::block_on(async {
        let client = client::<A>(Options::new());
        let url = format!("ws://{unused}/");
        let mut connections = client.reconnect(&url, quick().attempts(3)).unwrap();
        let begun = Instant::now();
        connect_error(connections.next().await.unwrap());
        // Two waits, of which half is random.
        assert!(begun.elapsed() >= Duration::from_millis(10 + 20));
        assert_eq!(connections.failures(), 3);
        assert!(connections.next().await.is_none());
        assert!(matches!(client.reconnect("ftp://x", quick()), Err(Error::Url(_))));
    });
}

pub(crate) fn reconnecting_is_cancelled_and_goes_on<A: Adapter>() {
    let (address, serving) = listen(vec![
        Box::new(|stream: TcpStream| drop(stream)),
        Box::new(|stream: TcpStream| drop(echo(stream).unwrap())),
    ]);
    A::block_on(async {
        let client = client::<A>(Options::new());
        let mut connections = client.reconnect(&format!("ws://{address}/"), quick()).unwrap();
        let mut cancelled = 0;
        let socket = loop {
            // Each call is dropped at its first wait.
            let mut next = Box::pin(connections.next());
            let mut polled = false;
            let done = core::future::poll_fn(|cx| {
                if core::mem::replace(&mut polled, true) {
                    return core::task::Poll::Ready(None);
                }
                next.as_mut().poll(cx).map(Some)
            });
            match done.await {
                Some(connection) => break connection.unwrap().unwrap(),
                None => cancelled += 1,
            }
        };
        assert!(cancelled > 1);
        talk(socket, 1000).await;
    });
    // Two connections and no more: no attempt was thrown away.
    serving.join().unwrap();
}
