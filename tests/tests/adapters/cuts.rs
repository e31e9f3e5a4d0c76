//! The stream ends at every byte of a session.

use core::time::Duration;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use tidegate_core::{CloseCode, Config, Message};

use crate::end::{End, Mode, accept, both, soon};
use crate::runtimes::Adapter;

/// Passes bytes on, and ends both streams behind `allowed` of those from the server to the client,
/// or the other way round.
fn relay(from_server: bool, allowed: usize, server: &TcpListener) -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to_client = listener.try_clone().unwrap();
    let server = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    thread::spawn(move || {
        let (client, _) = to_client.accept().unwrap();
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
        }
        let (limited, other) = if from_server {
            ((&server, &client), (&client, &server))
        } else {
            ((&client, &server), (&server, &client))
        };
        thread::scope(|scope| {
            scope.spawn(|| pass(limited.0, limited.1, allowed));
            scope.spawn(|| pass(other.0, other.1, usize::MAX));
        });
    });
    listener
}

fn pass(mut from: &TcpStream, mut to: &TcpStream, allowed: usize) {
    let mut left = allowed;
    let mut buffer = [0; 4096];
    while left > 0 {
        let room = left.min(buffer.len());
        match from.read(&mut buffer[..room]) {
            Ok(count @ 1..) if to.write_all(&buffer[..count]).is_ok() => left -= count,
            Ok(0) => {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            _ => break,
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// What an end received, and whether it ended cleanly.
type Outcome = (Vec<Message>, bool);

async fn serve<A: Adapter>(mode: Mode, listener: TcpListener) -> Outcome {
    let mut received = Vec::new();
    let Ok(socket) = accept::<A>(listener, config()).await else { return (received, false) };
    let mut end = End::<A>::new(mode, socket);
    loop {
        match end.recv().await {
            Ok(Some(message)) => {
                received.push(message.clone());
                // Nobody may be there any more: that is told by the next `recv`.
                let _ = end.send(message).await;
            }
            Ok(None) => return (received, true),
            Err(_) => break,
        }
    }
    assert_eq!(end.recv().await.unwrap(), None, "the error is told once");
    (received, false)
}

async fn ask<A: Adapter>(mode: Mode, url: &str) -> Outcome {
    let mut received = Vec::new();
    let Ok(socket) = A::connect(url, config()).await else { return (received, false) };
    let mut end = End::<A>::new(mode, socket);
    for message in messages() {
        if end.send(message).await.is_err() {
            break;
        }
        match end.recv().await {
            Ok(Some(message)) => received.push(message),
            Ok(None) | Err(_) => break,
        }
    }
    let closed = end.close(CloseCode::NORMAL, "bye").await;
    (received, closed.is_ok())
}

fn messages() -> [Message; 2] {
    [Message::text("one"), Message::binary(vec![2; 130])]
}

fn config() -> Config {
    // No end is to be found by its time being up.
    Config::builder().close_timeout(Duration::from_secs(60)).build().unwrap()
}

async fn session<A: Adapter>(mode: Mode, from_server: bool, allowed: usize) -> [Outcome; 2] {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = relay(from_server, allowed, &listener);
    let url = format!("ws://{}/", relay.local_addr().unwrap());
    let both = both(serve::<A>(mode, listener), ask::<A>(mode, &url));
    let (server, client) = soon::<A, _>(both).await;
    [server, client]
}

pub(crate) async fn at_every_byte<A: Adapter>(mode: Mode) {
    for from_server in [true, false] {
        let mut has_ended_cleanly = false;
        let mut most = 0;
        for allowed in 0..1_000 {
            let outcomes = session::<A>(mode, from_server, allowed).await;
            for (received, _) in &outcomes {
                assert!(messages().starts_with(received), "{received:?}");
            }
            let count = outcomes.iter().map(|(received, _)| received.len()).sum();
            assert!(count >= most, "a byte more, and {count} messages instead of {most}");
            most = count;
            let are_clean = outcomes.iter().all(|(_, is_clean)| *is_clean);
            if are_clean && allowed > 400 {
                has_ended_cleanly = true;
                break;
            }
        }
        assert!(has_ended_cleanly && most == 4, "{most} messages");
    }
}
