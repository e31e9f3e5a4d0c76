//! The stream ends at every byte of a session.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use tidegate_core::{CloseCode, Config, Message};
use tidegate_tests::ends::{Adapter, End, Mode, both, soon, take};

/// Forwards bytes, and ends both streams after `allowed` bytes in one direction. Returns whether it
/// did.
fn relay(
    from_server: bool,
    allowed: usize,
    server: &TcpListener,
) -> (SocketAddr, JoinHandle<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    let passing = thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
        }
        let (limited, other) = if from_server {
            ((&server, &client), (&client, &server))
        } else {
            ((&client, &server), (&server, &client))
        };
        thread::scope(|scope| {
            scope.spawn(|| pass(other.0, other.1, usize::MAX));
            pass(limited.0, limited.1, allowed)
        })
    });
    (address, passing)
}

/// Whether the stream was cut.
fn pass(mut from: &TcpStream, mut to: &TcpStream, allowed: usize) -> bool {
    let mut left = allowed;
    let mut buffer = [0; 4096];
    while left > 0 {
        let room = left.min(buffer.len());
        match from.read(&mut buffer[..room]) {
            Ok(count @ 1..) if to.write_all(&buffer[..count]).is_ok() => left -= count,
            Ok(0) => {
                let _ = to.shutdown(Shutdown::Write);
                return false;
            }
            _ => break,
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    left == 0
}

/// What an end received, and whether it ended cleanly.
type Outcome = (Vec<Message>, bool);

async fn serve<A: Adapter>(mode: Mode, listener: TcpListener) -> Outcome {
    let mut received = Vec::new();
    let accepting = A::accept(take::<A>(&listener).await, config());
    let Ok(socket) = accepting.await else { return (received, false) };
    let mut end = End::<A>::server(mode, socket);
    loop {
        match end.recv().await {
            Ok(Some(message)) => {
                received.push(message.clone());
                // The peer may be gone already, which the next `recv` reports.
                let _ = end.send(message).await;
            }
            Ok(None) => return (received, true),
            Err(_) => break,
        }
    }
    assert_eq!(end.recv().await.unwrap(), None, "the error is told once");
    (received, false)
}

async fn ask<A: Adapter>(mode: Mode, address: SocketAddr) -> Outcome {
    let mut received = Vec::new();
    let Ok(socket) = A::connect(address, config()).await else { return (received, false) };
    let mut end = End::<A>::client(mode, socket);
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
    // So that no end is caused by a time limit.
    Config::builder().close_timeout(Duration::from_secs(60)).build().unwrap()
}

/// What the two ends received, and whether they were cut off.
async fn session<A: Adapter>(
    mode: Mode,
    from_server: bool,
    allowed: usize,
) -> ([Outcome; 2], bool) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, passing) = relay(from_server, allowed, &listener);
    let both = both(serve::<A>(mode, listener), ask::<A>(mode, address));
    let (server, client) = soon::<A, _>(both).await;
    // Both streams are closed by now.
    ([server, client], passing.join().unwrap())
}

/// Over TLS these are the bytes of TLS: its handshake, its records, and its close_notify.
pub(crate) async fn at_every_byte<A: Adapter>(mode: Mode) {
    for from_server in [true, false] {
        let mut most = 0;
        let mut allowed = 0;
        loop {
            let (outcomes, is_cut) = session::<A>(mode, from_server, allowed).await;
            for (received, _) in &outcomes {
                assert!(messages().starts_with(received), "{received:?}");
            }
            let count = outcomes.iter().map(|(received, _)| received.len()).sum();
            assert!(count >= most, "a byte more, and {count} messages instead of {most}");
            most = count;
            if !is_cut {
                assert!(outcomes.iter().all(|(_, is_clean)| *is_clean), "at {allowed}");
                break;
            }
            allowed += 1;
        }
        // The request or the answer, two messages, and a Close.
        assert!(most == 4 && allowed > 200, "{most} messages in {allowed} bytes");
    }
}
