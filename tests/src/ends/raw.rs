//! A peer that is only a stream after its opening handshake, to send what no library would send.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, SockRef, Socket, Type};
use tidegate_core::handshake::{Acceptance, Limits, ServerHandshake};
use tidegate_core::{Config, Timestamp};

use super::certificates::client_tls;
use super::end::{End, Mode, take};
use super::runtimes::Adapter;

/// A blocking stream, plain or over TLS.
#[derive(Debug)]
pub enum Raw {
    /// TCP.
    Plain(TcpStream),
    /// TLS on TCP.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Raw {
    /// A client's stream to this server, with this receive buffer. The first use does the TLS handshake.
    fn connect(address: SocketAddr, is_tls: bool, buffer: Buffer) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        buffer.set(&socket);
        socket.connect(&address.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        if !is_tls {
            return Self::Plain(stream);
        }
        let name = ServerName::from(address.ip());
        let connection = ClientConnection::new(client_tls(), name).unwrap();
        Self::Tls(Box::new(StreamOwned::new(connection, stream)))
    }

    /// TCP.
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }

    /// Ends the write direction properly: first TLS, then TCP.
    pub fn shutdown_write(&mut self) {
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        }
        self.cut_write();
    }

    /// Ends TCP in this direction without a TLS close_notify, as anybody on the path can.
    pub fn cut_write(&self) {
        self.tcp().shutdown(Shutdown::Write).unwrap();
    }
}

impl Read for Raw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// The receive buffer of the system for a stream.
#[derive(Clone, Copy, Debug)]
pub enum Buffer {
    /// The system's default, which grows over time.
    Automatic,
    /// Sixteen kilobytes or a little more from the start, so that a sender soon blocks and stays
    /// blocked. If it was made smaller later, the system would drop data that has arrived, and the
    /// sender would retransmit again and again.
    Small,
}

impl Buffer {
    /// Set before connecting, because the TCP window depends on it from then on.
    fn set<'s>(self, socket: impl Into<SockRef<'s>>) {
        if let Self::Small = self {
            socket.into().set_recv_buffer_size(16 * 1024).unwrap();
        }
    }
}

/// A server's end, and a client that is only a stream.
pub async fn raw_client<A: Adapter>(mode: Mode, config: Config) -> (End<A>, Raw) {
    raw_client_offering::<A>(mode, config, "", Buffer::Automatic).await
}

/// The same, with these additional lines in the client's request.
pub async fn raw_client_offering<A: Adapter>(
    mode: Mode,
    config: Config,
    lines: &'static str,
    buffer: Buffer,
) -> (End<A>, Raw) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let opening = thread::spawn(move || {
        let mut stream = Raw::connect(address, A::IS_TLS, buffer);
        stream.write_all(REQUEST.replace("\r\n\r\n", &format!("\r\n{lines}\r\n")).as_bytes())?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            answer.extend(byte);
        }
        Ok::<_, io::Error>(stream)
    });
    let server = A::accept(take::<A>(&listener).await, config).await.unwrap();
    (End::server(mode, server), opening.join().unwrap().unwrap())
}

/// A client's end, and a server that is only a stream. It accepts compression if the client's
/// configuration offers it. Not over TLS.
pub async fn raw_server<A: Adapter>(mode: Mode, config: Config, buffer: Buffer) -> (End<A>, Raw) {
    assert!(!A::IS_TLS, "there is no TLS for a raw server");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // Accepted sockets inherit the buffer size from the listener.
    buffer.set(&listener);
    let address = listener.local_addr().unwrap();
    let acceptance = Acceptance::new().config(config.clone());
    let opening = thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut handshake = ServerHandshake::new(Timestamp::ZERO, Limits::default());
        let mut buffer = [0; 1024];
        while handshake.request().is_none() {
            let count = stream.read(&mut buffer)?;
            handshake.handle_input(Timestamp::ZERO, &buffer[..count]);
        }
        handshake.accept(acceptance).unwrap();
        let mut connection = handshake.into_connection(Timestamp::ZERO, Config::default()).unwrap();
        io::copy(&mut bytes::Buf::reader(connection.output()), &mut stream)?;
        Ok::<_, io::Error>(Raw::Plain(stream))
    });
    let client = A::connect(address, config).await.unwrap();
    (End::client(mode, client), opening.join().unwrap().unwrap())
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";
