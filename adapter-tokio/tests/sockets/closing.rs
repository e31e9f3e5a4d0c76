//! How connections end over TCP.

use core::time::Duration;
use std::io::ErrorKind;

use tidegate_tokio::{CloseCode, Config, Error, Failure, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::{pair, raw_client, soon};

#[tokio::test]
async fn from_either_side() {
    for server_begins in [true, false] {
        let (server, client) = pair(Config::default(), Config::default()).await;
        let (mut closing, mut other) =
            if server_begins { (server, client) } else { (client, server) };
        closing.send("last words").await.unwrap();
        let code = CloseCode::from(4000);
        let both = async {
            tokio::join!(closing.close(code, "enough"), async {
                let message = other.recv().await.unwrap();
                (message, other.recv().await)
            })
        };
        let (closed, received) = soon(both).await;
        let closed = closed.unwrap();
        assert!(closed.is_clean() && !closed.is_by_peer());
        assert_eq!(received.0, Some(Message::text("last words")));
        // A code that is no farewell is an error; whoever began has the end that it asked for.
        let Err(Error::Closed(closed)) = received.1 else { panic!("{:?}", received.1) };
        assert_eq!(Some(&closed), other.closed());
        assert_eq!((closed.code(), closed.reason()), (code, "enough"));
        assert!(closed.is_clean() && closed.is_by_peer());
        let linger = async { tokio::join!(closing.drive(), other.drive()) };
        soon(linger).await;
        assert!(other.get_ref().is_none() && closing.get_ref().is_none());
        assert!(matches!(other.send("x").await, Err(Error::Closed(_))));
    }
}

#[tokio::test]
async fn from_both_sides_at_once() {
    let (mut server, mut client) = pair(Config::default(), Config::default()).await;
    let both = async {
        tokio::join!(
            server.close(CloseCode::GOING_AWAY, "server"),
            client.close(CloseCode::NORMAL, "client")
        )
    };
    let (server, client) = soon(both).await;
    assert_eq!(server.unwrap().reason(), "client");
    assert_eq!(client.unwrap().reason(), "server");
}

#[tokio::test]
async fn with_a_lot_on_the_way_in_both_directions() {
    let (mut server, mut client) = pair(Config::default(), Config::default()).await;
    let flooding = tokio::spawn(async move {
        while server.send(vec![1; 50_000]).await.is_ok() {
            server.try_recv();
        }
        while server.recv().await.unwrap().is_some() {}
        server.closed().unwrap().clone()
    });
    for _ in 0..20 {
        client.send(vec![2; 50_000]).await.unwrap();
    }
    // Our Close is behind messages that the server takes one by one, and its gate is closed. Ours
    // is too, and we take and drop what comes.
    let closed = soon(client.close(CloseCode::NORMAL, "enough")).await.unwrap();
    assert!(closed.is_clean());
    assert!(soon(flooding).await.unwrap().is_clean());
}

#[tokio::test]
async fn by_an_abrupt_end() {
    let (mut server, mut stream) = raw_client(Config::default()).await;
    stream.write_all(b"\x81\x84\0\0\0\0text\x81\x84\0\0\0\0cu").await.unwrap();
    drop(stream);
    assert_eq!(soon(server.recv()).await.unwrap(), Some(Message::text("text")));
    let error = soon(server.recv()).await.unwrap_err();
    assert!(matches!(error, Error::Closed(closed)
        if closed.failure() == Some(Failure::EndOfStream)));
    assert_eq!(soon(server.recv()).await.unwrap(), None);
}

#[tokio::test]
async fn by_a_reset() {
    let (mut server, mut stream) = raw_client(Config::default()).await;
    stream.write_all(b"\x81\x84\0\0\0\0text").await.unwrap();
    server.send("unread").await.unwrap();
    stream.readable().await.unwrap();
    // Closed with unread data: the system resets the connection.
    drop(stream);
    sleep(Duration::from_millis(20)).await;
    // Depending on the system, this fails at once or not at all.
    let _ = soon(server.send("into the void")).await;
    assert_eq!(soon(server.recv()).await.unwrap(), Some(Message::text("text")));
    let error = soon(server.recv()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Io(error)
            if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)),
        "{error}"
    );
    assert_eq!(soon(server.recv()).await.unwrap(), None);
}

#[tokio::test]
async fn the_close_reply_is_not_taken_back() {
    // The peer sends a Close and then more: a server that closed the socket with that unread would
    // reset the connection, and the peer might never see the reply.
    let (mut server, mut stream) = raw_client(Config::default()).await;
    let serving = tokio::spawn(async move { server.recv().await });
    stream.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
    stream.write_all(&[0; 10_000]).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    stream.write_all(&[0; 10_000]).await.unwrap();
    let mut reply = Vec::new();
    soon(stream.read_to_end(&mut reply)).await.unwrap();
    assert_eq!(reply, b"\x88\x02\x03\xe8");
    drop(stream);
    assert_eq!(soon(serving).await.unwrap().unwrap(), None);
}
