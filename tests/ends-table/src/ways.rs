//! The ways in which a connection can end, and a peer (a thread with a socket) for each of them.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// One way in which a connection can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The peer sends a Close: with a code and a reason, or empty.
    Close(Option<u16>),
    Fin,
    Reset,
    Violation(Then),
    TooBig,
    KeepaliveTimeout,
    WriteTimeout,
    CloseTimeout,
    LocalClose,
    Abort,
}

/// What the peer does after a protocol violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Fin,
    Reset,
    Silence,
}

pub(crate) const WAYS: [(&str, Way); 19] = [
    ("the peer closes with 1000", Way::Close(Some(1000))),
    ("the peer closes with 1001", Way::Close(Some(1001))),
    ("the peer closes with an empty Close", Way::Close(None)),
    ("the peer closes with 1008", Way::Close(Some(1008))),
    ("the peer closes with 1009", Way::Close(Some(1009))),
    ("the peer closes with 1011", Way::Close(Some(1011))),
    ("the peer closes with 1012", Way::Close(Some(1012))),
    ("the peer closes with 4000", Way::Close(Some(4000))),
    ("the stream ends (FIN)", Way::Fin),
    ("the connection is reset (RST)", Way::Reset),
    ("a violation, then FIN", Way::Violation(Then::Fin)),
    ("a violation, then RST", Way::Violation(Then::Reset)),
    ("a violation, then silence", Way::Violation(Then::Silence)),
    ("a message over the limit", Way::TooBig),
    ("the peer answers no ping", Way::KeepaliveTimeout),
    ("the peer reads nothing", Way::WriteTimeout),
    ("the peer does not answer our Close", Way::CloseTimeout),
    ("we close with 1000", Way::LocalClose),
    ("we abort", Way::Abort),
];

/// Responses that refuse the opening request, or are not HTTP.
pub(crate) const REFUSALS: [(&str, &str); 4] = [
    ("401", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nwho?"),
    ("401 in HTTP/1.0", "HTTP/1.0 401 Unauthorized\r\nContent-Length: 4\r\n\r\nwho?"),
    ("401 without a length, TCP stays open", "HTTP/1.1 401 Unauthorized\r\n\r\n"),
    ("not HTTP", "RFB 003.008\n"),
];

/// Builds a frame. A client's has the masking key 0, which leaves the payload as it is.
fn frame(first: u8, payload: &[u8], is_client: bool) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("all are short");
    let mut bytes = vec![first, length | if is_client { 0x80 } else { 0 }];
    bytes.extend(if is_client { &[0; 4][..] } else { &[] });
    bytes.extend(payload);
    bytes
}

/// A server thread: answers the opening handshake, sends a message, and ends the connection.
pub(crate) fn server(way: Way) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has an address");
    let serving = thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let head = head(&mut stream);
        let key = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.to_owned())
        });
        let accept = derive_accept_key(key.expect("a key").as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        let _ = stream.write_all(answer.as_bytes());
        end(stream, way, false);
    });
    (address, serving)
}

/// A client thread that does the same.
pub(crate) fn client(address: SocketAddr, way: Way) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut stream = TcpStream::connect(address).expect("it listens");
        let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                       Sec-WebSocket-Version: 13\r\n\r\n";
        let _ = stream.write_all(request.as_bytes());
        head(&mut stream);
        end(stream, way, true);
    })
}

/// A server that sends this response and leaves the connection open.
pub(crate) fn refusing(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has an address");
    thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else { return };
        head(&mut stream);
        let _ = stream.write_all(answer.as_bytes());
        thread::sleep(STAYS);
    });
    address
}

fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read_exact(&mut byte).is_err() {
            break;
        }
        head.extend(byte);
    }
    String::from_utf8_lossy(&head).into_owned()
}

fn end(mut stream: TcpStream, way: Way, is_client: bool) {
    let _ = stream.write_all(&frame(0x81, b"m", is_client));
    match way {
        Way::Close(code) => {
            let reason = code.map(|code| [&code.to_be_bytes()[..], b"bye"].concat());
            let close = frame(0x88, &reason.unwrap_or_default(), is_client);
            let _ = stream.write_all(&close);
            read_to_close(&mut stream);
        }
        Way::LocalClose => {
            if let Some(payload) = read_to_close(&mut stream) {
                let _ = stream.write_all(&frame(0x88, &payload, is_client));
            }
        }
        Way::Fin => fin(&mut stream),
        Way::Reset => reset(stream),
        Way::Violation(then) => {
            let _ = stream.write_all(&frame(0xF2, b"hi", is_client));
            match then {
                Then::Fin => fin(&mut stream),
                Then::Reset => {
                    thread::sleep(Duration::from_millis(100));
                    reset(stream);
                }
                Then::Silence => thread::sleep(STAYS),
            }
        }
        Way::TooBig => {
            let mask = if is_client { 0x80 } else { 0 };
            let length = (128_u64 << 20).to_be_bytes();
            let _ = stream.write_all(&[&[0x82, 127 | mask][..], &length, &[0; 100]].concat());
            thread::sleep(STAYS);
        }
        Way::KeepaliveTimeout | Way::WriteTimeout | Way::CloseTimeout => thread::sleep(STAYS),
        Way::Abort => drop(stream.read_to_end(&mut Vec::new())),
    }
}

fn fin(stream: &mut TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

fn reset(stream: TcpStream) {
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

/// Reads short frames until a Close; returns the payload of the Close.
fn read_to_close(stream: &mut TcpStream) -> Option<Vec<u8>> {
    loop {
        let mut header = [0; 2];
        stream.read_exact(&mut header).ok()?;
        let mut mask = [0; 4];
        if header[1] & 0x80 != 0 {
            stream.read_exact(&mut mask).ok()?;
        }
        let mut payload = vec![0; usize::from(header[1] & 0x7F)];
        stream.read_exact(&mut payload).ok()?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        if header[0] == 0x88 {
            return Some(payload);
        }
    }
}

/// Longer than every time limit in these runs.
const STAYS: Duration = Duration::from_secs(6);
