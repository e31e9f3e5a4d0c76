//! The tests. Each runs for each adapter.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use rustls::ClientConfig;
use tidegate_core::handshake::Excerpt;
use tidegate_core::handshake::proxy::ProxyError;
use tidegate_core::{CloseCode, Message};
use tidegate_driver::{
    ByteStream, Client, Clock, ConnectError, ConnectFault, Error, Network, Options, Stage,
    WebSocket,
};

use crate::server::{self, answer, echo, listen, once};
use crate::{Adapter, SOON};

mod reconnect;
mod redirect;
mod tls;

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
            an_address_with_a_zone,
            an_address_of_http,
            a_refusal_names_the_address,
            an_http_proxy,
            a_proxy_that_refuses,
            a_socks_proxy_gets_the_name,
            tls_both_ways,
            tls_through_a_proxy,
            certificates_are_checked,
            tls_that_is_none,
            plain_to_a_tls_port,
            tls_takes_no_longer_than_the_timeout,
            truncation_is_not_a_clean_close,
            a_server_over_tls,
            redirections_are_followed_without_credentials,
            redirections_that_are_not_followed,
            redirections_do_not_wait_for_a_body,
            a_refusal_does_not_wait_for_a_body_that_does_not_come,
            reconnecting,
            reconnecting_gives_up,
            reconnecting_counts_short_lives,
            reconnecting_is_cancelled_and_goes_on,
            reconnecting_ends_at_a_certificate,
        );
    };
}
pub(crate) use reconnect::*;
pub(crate) use redirect::*;
pub(crate) use tests;
pub(crate) use tls::*;

fn soon(options: &Options) -> Options {
    options.to_builder().timeout(SOON).build().unwrap()
}

fn client<A: Adapter>(options: Options) -> Client<A::Network> {
    Client::new(A::network(None), soon(&options))
}

fn tls_client<A: Adapter>(config: &Arc<ClientConfig>, options: Options) -> Client<A::Network> {
    Client::new(A::network(Some(config.clone())), soon(&options))
}

fn connect_error<T>(result: Result<T, Error>) -> Box<ConnectError> {
    match result {
        Ok(_) => panic!("it connects"),
        Err(Error::Connect(error)) => says_what_it_knows(error),
        Err(error) => panic!("{error:?}"),
    }
}

/// The text of an error has the stage, the peer, the addresses and the reason. The error of the
/// system or of TLS is its source, and is not repeated in the text.
fn says_what_it_knows(error: Box<ConnectError>) -> Box<ConnectError> {
    use core::error::Error as _;

    let text = error.to_string();
    let (stage, peer, fault) = (error.stage(), error.peer(), error.fault());
    assert!(text.starts_with(&format!("{stage} {}", peer.host)), "{text}");
    for (address, _) in error.attempts() {
        assert!(text.contains(&address.to_string()), "{text}");
    }
    let source = error.source();
    let is_foreign = matches!(
        fault,
        ConnectFault::Resolve(_)
            | ConnectFault::Tls(_)
            | ConnectFault::Io(_)
            | ConnectFault::Unreachable
    );
    if is_foreign {
        let source = source.and_then(|source| source.downcast_ref::<std::io::Error>());
        assert!(!text.contains(&source.unwrap().to_string()), "{text}");
    } else {
        assert!(source.is_none() && text.contains(&fault.to_string()), "{text}");
    }
    error
}

/// Sends a message, receives it back, and closes.
async fn talk<S: ByteStream, C: Clock>(mut socket: WebSocket<S, C>, size: usize) {
    for message in [Message::text("hello"), Message::binary(vec![7; size])] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(message));
    }
    assert!(socket.close(CloseCode::NORMAL, "").await.unwrap().is_clean());
}

pub(crate) fn an_echo_with_credentials_and_from_an_address<A: Adapter>() {
    let (address, serving) = once(|stream| (stream.peer_addr().unwrap(), echo(stream).unwrap()));
    // On Linux all of 127.0.0.0/8 is local.
    let local = if cfg!(target_os = "linux") { "127.0.0.2" } else { "127.0.0.1" };
    let options = Options::builder().bind(Some(local.parse().unwrap())).nodelay(false);
    let client = client::<A>(options.origin("https://a.test").build().unwrap());
    A::block_on(async {
        talk(client.connect(&format!("ws://me:a%40b@{address}/x?y")).await.unwrap(), 1000).await;
    });
    let (peer, request) = serving.join().unwrap().remove(0);
    assert_eq!(peer.ip().to_string(), local);
    assert_eq!(request.target(), "/x?y");
    assert_eq!(request.headers().get("Authorization"), Some("Basic bWU6YUBi"));
    assert_eq!(request.headers().get("Host"), Some(address.to_string().as_str()));
    assert_eq!(request.origin(), Some("https://a.test"));

    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = connect_error(A::block_on(client.connect(&format!("ws://{unused}/"))));
    assert_eq!(error.attempts()[0].1.kind(), ErrorKind::ConnectionRefused, "{error}");
}

/// `localhost` may also resolve to `::1`, where nothing listens.
pub(crate) fn every_address_is_tried<A: Adapter>() {
    let (address, serving) = once(|stream| echo(stream).unwrap());
    A::block_on(async {
        let url = format!("ws://localhost:{}/", address.port());
        talk(client::<A>(Options::default()).connect(&url).await.unwrap(), 1000).await;
    });
    serving.join().unwrap();
}

pub(crate) fn a_name_that_does_not_resolve<A: Adapter>() {
    let error = connect_error(A::block_on(
        client::<A>(Options::default()).connect("ws://does-not-exist.invalid:81/"),
    ));
    assert_eq!((error.stage(), &*error.peer().host), (Stage::Resolve, "does-not-exist.invalid:81"));
    assert!(matches!(error.fault(), ConnectFault::Resolve(_)), "{error}");
}

/// On Linux the interface `lo` has the index 1. The system's resolver knows its name.
pub(crate) fn an_address_with_a_zone<A: Adapter>() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
    if !cfg!(target_os = "linux") {
        return;
    }
    let port = listener.local_addr().unwrap().port();
    let serving = std::thread::spawn(move || echo(listener.accept().unwrap().0).unwrap());
    A::block_on(async {
        let url = format!("ws://[::1%251]:{port}/");
        talk(client::<A>(Options::default()).connect(&url).await.unwrap(), 1000).await;
    });
    let request = serving.join().unwrap();
    let host = format!("[::1]:{port}");
    assert_eq!(request.headers().get("Host"), Some(host.as_str()), "without the zone");

    let resolving = A::network(None).resolve("fe80::1%lo".into(), 80);
    let addresses = A::block_on(resolving).unwrap();
    let links = addresses.iter().map(|address| match address {
        SocketAddr::V6(address) => (address.ip().to_string(), address.scope_id()),
        SocketAddr::V4(_) => panic!("{addresses:?}"),
    });
    assert_eq!(links.collect::<Vec<_>>()[0], ("fe80::1".into(), 1));

    let client = client::<A>(Options::default());
    let error = connect_error(A::block_on(client.connect("ws://[fe80::1%25no-such-link]:81/")));
    assert_eq!(error.stage(), Stage::Resolve, "{error}");
    assert_eq!(error.peer().host, "[fe80::1%no-such-link]:81");
}

pub(crate) fn an_address_of_http<A: Adapter>() {
    let (address, serving) = once(|stream| echo(stream).unwrap());
    A::block_on(async {
        let client = client::<A>(Options::default());
        talk(client.connect(&format!("http://{address}/x")).await.unwrap(), 1000).await;
    });
    assert_eq!(serving.join().unwrap()[0].target(), "/x");
}

pub(crate) fn a_refusal_names_the_address<A: Adapter>() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = connect_error(A::block_on(
        client::<A>(Options::default()).connect(&format!("ws://{unused}/")),
    ));
    assert!(matches!(error.fault(), ConnectFault::Unreachable), "{error}");
    assert_eq!((error.stage(), &error.peer().host), (Stage::Connect, &unused.to_string()));
    let [(address, why)] = error.attempts() else { panic!("{error}") };
    assert_eq!((*address, why.kind()), (unused, ErrorKind::ConnectionRefused));
    assert_eq!(error.to_string(), format!("connecting to {unused} failed"));
}

fn proxied(proxy: &str) -> Options {
    Options::builder().proxy(proxy.parse().unwrap()).build().unwrap()
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
        ("SSH-2.0\r\n", ProxyError::NotHttp { seen: Excerpt::new(b"SSH-2.0") }),
    ] {
        let (proxy, refusing) = once(server::http_proxy(nowhere, text));
        let client = client::<A>(proxied(&format!("http://{proxy}")));
        let error = connect_error(A::block_on(client.connect("wss://chat.invalid/")));
        assert_eq!((error.stage(), &error.peer().host), (Stage::Proxy, &proxy.to_string()));
        assert_eq!(error.peer().address, Some(proxy));
        assert!(matches!(error.fault(), ConnectFault::Proxy(why) if *why == fault), "{error}");
        refusing.join().unwrap();
    }

    // In TLS and in HTTP the client sends first, so earlier bytes do not come from the server.
    let (proxy, refusing) = listen(vec![answer("HTTP/1.1 200 OK\r\n\r\nearly".into())]);
    let client = client::<A>(proxied(&format!("http://{proxy}")));
    let error = connect_error(A::block_on(client.connect("ws://chat.invalid/")));
    assert!(matches!(error.fault(), ConnectFault::Proxy(ProxyError::EarlyData)), "{error}");
    refusing.join().unwrap();
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
