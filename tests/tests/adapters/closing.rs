//! How connections end.

use std::io::{ErrorKind, Read, Write};

use tidegate_core::{CloseCode, Config, Failure, Message};
use tidegate_tests::ends::{Adapter, Error, Mode, both, pair, raw_client, soon};

pub(crate) async fn from_either_side<A: Adapter>(mode: Mode) {
    for server_begins in [true, false] {
        let (server, client) = pair::<A>(mode, Config::default(), Config::default()).await;
        let (mut closing, mut other) =
            if server_begins { (server, client) } else { (client, server) };
        closing.send("last words").await.unwrap();
        let code = CloseCode::from(4000);
        let ends = both(closing.close(code, "enough"), async {
            let message = other.recv().await.unwrap();
            (message, other.recv().await)
        });
        let (closed, received) = soon::<A, _>(ends).await;
        let closed = closed.unwrap();
        assert!(closed.is_clean() && !closed.is_by_peer());
        assert_eq!(received.0, Some(Message::text("last words")));
        // A code that is not a normal close is an error for the other end. For the end that closed with it
        // the close is clean.
        let Err(Error::Closed(closed)) = received.1 else { panic!("{:?}", received.1) };
        assert_eq!(Some(&closed), other.closed().as_ref());
        assert_eq!((closed.code(), closed.reason()), (code, "enough"));
        assert!(closed.is_clean() && closed.is_by_peer());
        assert!(matches!(other.send("x").await, Err(Error::Closed(_))));
        assert_eq!(closing.recv().await.unwrap(), None);
    }
}

pub(crate) async fn from_both_sides_at_once<A: Adapter>(mode: Mode) {
    let (mut server, mut client) = pair::<A>(mode, Config::default(), Config::default()).await;
    let ends = both(
        server.close(CloseCode::GOING_AWAY, "server"),
        client.close(CloseCode::NORMAL, "client"),
    );
    let (server, client) = soon::<A, _>(ends).await;
    assert!(server.unwrap().is_clean());
    assert!(client.unwrap().is_clean());
}

pub(crate) async fn half_closed<A: Adapter>(mode: Mode) {
    let (mut server, mut stream) = raw_client::<A>(mode, Config::default()).await;
    stream.write_all(b"\x81\x84\0\0\0\0text\x81\x84\0\0\0\0cu").unwrap();
    stream.shutdown_write();
    assert_eq!(soon::<A, _>(server.recv()).await.unwrap(), Some(Message::text("text")));
    let error = soon::<A, _>(server.recv()).await.unwrap_err();
    assert!(matches!(error, Error::Closed(closed)
        if closed.failure() == Some(Failure::EndOfStream)));
    assert_eq!(soon::<A, _>(server.recv()).await.unwrap(), None);
    // The peer sees the end, so the socket was really closed.
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"");
}

pub(crate) async fn with_much_data_in_flight<A: Adapter>(mode: Mode) {
    let (mut server, mut client) = pair::<A>(mode, Config::default(), Config::default()).await;
    let flooding = async {
        // Takes one message for each that it sends, or none, so its own gate is often closed.
        while server.send(vec![1; 50_000]).await.is_ok() {
            server.try_recv();
        }
        while server.recv().await.unwrap().is_some() {}
        assert!(server.closed().unwrap().is_clean());
    };
    let closing = async {
        for _ in 0..20 {
            client.send(vec![2; 50_000]).await.unwrap();
        }
        // Our gate is closed, or will be soon: incoming messages are dropped, and the Close comes after them.
        assert!(client.close(CloseCode::NORMAL, "enough").await.unwrap().is_clean());
    };
    soon::<A, _>(both(flooding, closing)).await;
}

pub(crate) async fn in_the_middle_without_close_notify<A: Adapter>(mode: Mode) {
    for rest in [&b""[..], b"\x81\x84\0\0\0\0cu"] {
        let (mut server, mut stream) = raw_client::<A>(mode, Config::default()).await;
        stream.write_all(b"\x81\x84\0\0\0\0text").unwrap();
        stream.write_all(rest).unwrap();
        stream.cut_write();
        assert_eq!(soon::<A, _>(server.recv()).await.unwrap(), Some(Message::text("text")));
        let error = soon::<A, _>(server.recv()).await.unwrap_err();
        assert!(
            matches!(&error, Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof),
            "{error:?}"
        );
        let closed = server.closed().unwrap();
        assert!(!closed.is_clean() && closed.code() == CloseCode::ABNORMAL, "{closed}");
    }
}

/// Many peers do this, and both Closes have been exchanged.
pub(crate) async fn after_both_closes_without_close_notify<A: Adapter>(mode: Mode) {
    let (mut server, mut stream) = raw_client::<A>(mode, Config::default()).await;
    stream.write_all(b"\x88\x82\0\0\0\0\x03\xE8").unwrap();
    stream.cut_write();
    assert_eq!(soon::<A, _>(server.recv()).await.unwrap(), None);
    assert!(server.closed().unwrap().is_clean());
}
