//! Endless opening handshakes: they need little memory and linear time.

use core::time::Duration;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use tidegate_core::Timestamp;
use tidegate_core::handshake::{HandshakeError, Limits, ServerHandshake};
use tidegate_tests::ends::{Adapter, Error, soon, take};

use crate::memory::Growth;
use crate::peer::{join, read, write, write_and_end};

const TOTAL: usize = 4 << 20;

/// The head being assembled, the response to it, and a task.
const LITTLE: usize = 64 * 1024;

pub(crate) async fn requests<A: Adapter>() {
    let field = "X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
    for (prelude, unit, setting) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nX: ", "aaaaaaaa", "max_head_bytes"),
        ("GET / HTTP/1.1\r\nHost: a\r\n", field, "max_headers"),
        ("GET / HTTP/1.1\r\nHost: a\r\n", "X:\r\n", "max_headers"),
        ("GET /", "aaaaaaaa", "max_head_bytes"),
        ("", "a", "max_head_bytes"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let accepted = take::<A>(&listener).await;
        let growth = Growth::begin::<A>().await;
        let writing = write_and_end(&stream, prelude.into(), unit.as_bytes(), TOTAL);
        let reading = read(&stream);
        refused(soon::<A, _>(A::accept(accepted, Default::default())).await, setting);
        let peak = growth.peak();
        assert!(peak <= LITTLE, "{peak} bytes for {prelude:?} and {unit:?}");
        join::<A, _>(writing).await;
        let answer = join::<A, _>(reading).await;
        assert!(answer.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&answer));
    }
}

pub(crate) async fn requests_in_single_bytes<A: Adapter>() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let accepted = take::<A>(&listener).await;
    let dribbling = thread::spawn(move || {
        for byte in b"GET / HTTP/1.1\r\nX: ".iter().chain([b'a'; 20_000].iter()) {
            // Refused after some time.
            if stream.write_all(&[*byte]).is_err() {
                break;
            }
        }
        stream
    });
    refused(soon::<A, _>(A::accept(accepted, Default::default())).await, "max_head_bytes");
    drop(join::<A, _>(dribbling).await);
}

pub(crate) async fn answers<A: Adapter>() {
    for (prelude, unit, setting) in [
        ("HTTP/1.1 101 Switching Protocols\r\nX: ", "aaaaaaaa", Some("max_head_bytes")),
        ("HTTP/1.1 101 Switching Protocols\r\n", "X:\r\n", Some("max_headers")),
        ("HTTP/1.1 101 ", "aaaaaaaa", Some("max_head_bytes")),
        ("", "HTTP/1.1 100 Continue\r\n\r\n", Some("max_head_bytes")),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "<!-- no -->", None),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            write(&stream, prelude.into(), unit.as_bytes(), TOTAL).join().unwrap()
        });
        let growth = Growth::begin::<A>().await;
        let connected = soon::<A, _>(A::connect(address, Default::default())).await;
        let peak = growth.peak();
        assert!(peak <= LITTLE, "{peak} bytes for {prelude:?} and {unit:?}");
        match setting {
            Some(setting) => refused(connected, setting),
            None => {
                let Err(Error::Handshake { error, response: Some(response), .. }) = connected
                else {
                    panic!("{connected:?}")
                };
                assert_eq!(error, HandshakeError::Status { status: 403 });
                assert_eq!(response.body().len(), Limits::default().max_body_bytes());
            }
        }
        join::<A, _>(serving).await;
    }
}

fn refused<T: core::fmt::Debug>(opened: Result<T, Error>, expected: &str) {
    match opened {
        Err(Error::Handshake { error: HandshakeError::TooLarge { setting, .. }, .. }) => {
            assert_eq!(setting, expected);
        }
        other => panic!("{other:?} instead of {expected}"),
    }
}

/// With limits that allow it: parsing 4 MiB in pieces of 16 bytes would take hours if each piece
/// started again from the beginning.
#[test]
fn time_is_linear() {
    let _alone = crate::memory::alone();
    let limits = Limits::builder().max_head_bytes(2 * TOTAL).build().unwrap();
    let mut server = ServerHandshake::new(Timestamp::ZERO, limits);
    server.handle_input(Timestamp::ZERO, b"GET / HTTP/1.1\r\nX: ");
    let begun = Instant::now();
    for _ in 0..TOTAL / 16 {
        server.handle_input(Timestamp::ZERO, &[b'a'; 16]);
        assert!(begun.elapsed() < Duration::from_secs(20), "it takes too long");
    }
    assert!(server.wants_input());
}
