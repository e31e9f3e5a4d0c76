//! Servers and proxies in threads, on blocking sockets, without any adapter code.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::Buf;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tidegate_core::handshake::{Acceptance, Limits, Request, ServerHandshake};
use tidegate_core::{Config, Connection, Event, Timestamp, Transport};

/// A listener, and a thread that serves one connection after another with these closures.
pub(crate) fn listen<T: Send + 'static>(
    servers: Vec<Box<dyn FnOnce(TcpStream) -> T + Send>>,
) -> (SocketAddr, JoinHandle<Vec<T>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let mut results = Vec::new();
        for server in servers {
            let (stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            results.push(server(stream));
        }
        results
    });
    (address, serving)
}

/// One connection.
pub(crate) fn once<T: Send + 'static>(
    server: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<Vec<T>>) {
    listen(vec![Box::new(server)])
}

/// TLS on a stream. The first read does the handshake.
pub(crate) fn tls(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream)
}

/// Accepts the request.
pub(crate) fn open(stream: &mut (impl Read + Write)) -> io::Result<(Request, Connection)> {
    let mut handshake = ServerHandshake::new(Timestamp::ZERO, Limits::default());
    let mut buffer = vec![0; 65536];
    while handshake.request().is_none() {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        handshake.handle_input(Timestamp::ZERO, &buffer[..count]);
    }
    let request = handshake.request().unwrap().clone();
    handshake.accept(Acceptance::new()).unwrap();
    Ok((request, handshake.into_connection(Timestamp::ZERO, Config::default()).unwrap()))
}

pub(crate) fn flush(connection: &mut Connection, stream: &mut impl Write) -> io::Result<()> {
    while connection.wants_output() {
        let count = stream.write(connection.output().chunk())?;
        connection.output().advance(count);
    }
    stream.flush()
}

/// Accepts the request and echoes until the end. Returns the request, and whether the stream ended
/// properly.
pub(crate) fn echo(mut stream: impl Read + Write) -> io::Result<Request> {
    let (request, mut connection) = open(&mut stream)?;
    let mut buffer = vec![0; 65536];
    loop {
        while let Some(event) = connection.poll_event() {
            if let Event::Message(message) = event {
                connection.send(message).unwrap();
            }
            flush(&mut connection, &mut stream)?;
        }
        flush(&mut connection, &mut stream)?;
        if connection.transport() != Transport::KeepOpen {
            return Ok(request);
        }
        match stream.read(&mut buffer)? {
            0 => connection.handle_eof(Timestamp::ZERO),
            count => connection.handle_input(Timestamp::ZERO, &buffer[..count]),
        }
    }
}

/// Reads an HTTP head up to its end.
pub(crate) fn head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "the head is not complete");
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Forwards bytes in both directions until both have ended.
pub(crate) fn carry(client: &TcpStream, server: &TcpStream) {
    let copy = |from: &TcpStream, to: &TcpStream| {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        })
    };
    let directions = [copy(client, server), copy(server, client)];
    for direction in directions {
        direction.join().unwrap();
    }
}

/// An HTTP proxy to this server. Returns the head that it received.
pub(crate) fn http_proxy(
    server: SocketAddr,
    answer: &'static str,
) -> impl FnOnce(TcpStream) -> String {
    move |mut client| {
        let head = head(&mut client);
        client.write_all(answer.as_bytes()).unwrap();
        if answer.contains(" 200 ") {
            carry(&client, &TcpStream::connect(server).unwrap());
        }
        head
    }
}

/// A SOCKS proxy to this server that requires credentials. Returns the requested host and port.
pub(crate) fn socks_proxy(server: SocketAddr) -> impl FnOnce(TcpStream) -> String {
    move |mut client| {
        let mut read = |count: usize, answer: &[u8]| {
            let mut bytes = vec![0; count];
            client.read_exact(&mut bytes).unwrap();
            client.write_all(answer).unwrap();
            bytes
        };
        assert_eq!(read(4, b"\x05\x02"), b"\x05\x02\0\x02");
        assert_eq!(read(12, b"\x01\0"), b"\x01\x02me\x07s@cret!");
        let length = usize::from(read(5, b"")[4]);
        let name = read(length, b"");
        let port = read(2, b"\x05\0\0\x01\0\0\0\0\0\0");
        let port = u16::from_be_bytes([port[0], port[1]]);
        carry(&client, &TcpStream::connect(server).unwrap());
        format!("{}:{port}", String::from_utf8(name).unwrap())
    }
}

/// Answers a request with this. Returns the head that it received.
pub(crate) fn answer(text: String) -> Box<dyn FnOnce(TcpStream) -> String + Send> {
    Box::new(move |mut stream| {
        let head = head(&mut stream);
        stream.write_all(text.as_bytes()).unwrap();
        head
    })
}

pub(crate) fn redirect(status: u16, location: &str) -> Box<dyn FnOnce(TcpStream) -> String + Send> {
    answer(format!("HTTP/1.1 {status} There\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"))
}
