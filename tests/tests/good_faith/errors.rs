//! The texts of errors, and their sources.

use std::io::ErrorKind;
use std::net::TcpListener;

use tidegate_core::{CloseCode, Config, Role};
use tidegate_driver::{Error, WebSocket};

use crate::link::Link;
use crate::peer::Peer;
use crate::scene::{Scene, s};

/// Printing a chain shows each error and then its source, so no text may repeat its source's.
fn says_it_once(error: &Error) {
    let mut chain = Vec::new();
    let mut next: Option<&(dyn core::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        chain.push(error.to_string());
        next = error.source();
    }
    for pair in chain.windows(2) {
        assert!(!pair[0].contains(&pair[1]), "said twice: {chain:?}");
    }
}

fn io_kind(error: &Error) -> Option<ErrorKind> {
    let mut next: Option<&(dyn core::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}

fn connect(address: &str) -> Error {
    smol::block_on(tidegate_smol::connect(address)).map(drop).unwrap_err()
}

/// A port where nothing listens: the chain ends with the system's error.
#[test]
fn a_refused_connection_is_reported_once_and_can_be_queried() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = connect(&format!("ws://{address}/"));
    assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionRefused), "{error:?}");
    says_it_once(&error);
}

#[test]
fn an_invalid_address_is_reported_once() {
    for address in ["", "ws://", "gopher://a.test/", "ws://a b/", "ws://a.test:99999/"] {
        says_it_once(&connect(address));
    }
}

#[test]
fn an_invalid_close_is_reported_once() {
    let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Client, Config::default());
    scene.ours("closes", async move {
        says_it_once(&socket.close(CloseCode::ABNORMAL, "").await.unwrap_err());
        says_it_once(&socket.close(CloseCode::NORMAL, "x".repeat(124)).await.unwrap_err());
        says_it_once(&socket.pong(vec![0; 126]).await.unwrap_err());
    });
    scene.within(s(1));
}

/// A transport that fails without another known cause: the chain ends with its error.
#[test]
fn a_reset_is_reported_once_and_can_be_queried() {
    let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Client, Config::default());
    let peer = scene.peer.clone();
    scene.theirs("resets", async move {
        peer.reset();
        peer.until(Peer::is_over).await;
    });
    scene.ours("receives", async move {
        let error = socket.recv().await.unwrap_err();
        assert_eq!(io_kind(&error), Some(ErrorKind::ConnectionReset), "{error:?}");
        says_it_once(&error);
    });
    scene.within(s(1));
}

/// A response that is not HTTP, and one that refuses.
#[test]
fn a_failed_opening_handshake_is_reported_once() {
    for answer in ["HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "nonsense\r\n\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 2048];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let error = connect(&format!("ws://{address}/"));
        serving.join().unwrap();
        says_it_once(&error);
    }
}

/// If a cause was known when the transport failed, it is reported with the transport's error as its
/// source.
#[test]
fn the_transport_error_is_the_source_of_the_cause() {
    let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Client, Config::default());
    let (world, peer) = (scene.world.clone(), scene.peer.clone());
    // A masked frame from a server, and then a reset.
    peer.raw(&crate::frames::encode(0x81, b"hi", true));
    scene.theirs("breaks and resets", async move {
        peer.until(Peer::is_idle).await;
        world.sleep(core::time::Duration::from_millis(100)).await;
        peer.reset();
    });
    let world = scene.world.clone();
    scene.ours("receives", async move {
        world.sleep(s(1)).await;
        let error = socket.recv().await.unwrap_err();
        assert!(matches!(error, Error::Closed(_)), "{error:?}");
        says_it_once(&error);
        drop::<WebSocket<_, _>>(socket);
    });
    scene.within(s(2));
}
