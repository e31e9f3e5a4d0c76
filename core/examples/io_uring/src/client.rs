//! A blocking client that checks every echo.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::Buf;
use tidegate_core::handshake::{ClientHandshake, ClientRequest, Limits};
use tidegate_core::{
    CloseCode, CloseFrame, Config, Connection, Event, Message, Timestamp, Transport,
};

/// Sends messages of many sizes, and closes. Returns how many came back.
pub fn talk(address: SocketAddr) -> io::Result<usize> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let origin = Instant::now();
    let now = || Timestamp::from_duration(origin.elapsed());
    let mut buffer = vec![0; 4096];

    let request = ClientRequest::new(address.to_string(), "/").map_err(io::Error::other)?;
    // A fixed seed, since this client talks only to this program. Take yours from the system.
    let mut handshake = ClientHandshake::new(now(), request, Limits::default(), [7; 32]);
    while !handshake.is_open() {
        write(&mut stream, handshake.output())?;
        match stream.read(&mut buffer)? {
            0 => handshake.handle_eof(now()),
            count => handshake.handle_input(now(), &buffer[..count]),
        }
        if let Some(failure) = handshake.failure() {
            return Err(io::Error::other(*failure));
        }
    }
    let Ok(mut connection) = handshake.into_connection(now(), Config::default()) else {
        return Err(io::Error::other("it is open"));
    };

    let mut echoed = 0;
    for round in 0..MESSAGES {
        let message = Message::binary(vec![round as u8; round * round % 200_000]);
        connection.send(message.clone()).map_err(io::Error::other)?;
        let echo = receive(&mut stream, &mut connection, &mut buffer, now)?;
        if echo.as_ref() != Some(&message) {
            return Err(io::Error::other("that is not what was sent"));
        }
        echoed += 1;
    }
    let frame = CloseFrame::from(CloseCode::NORMAL);
    connection.close(now(), frame).map_err(io::Error::other)?;
    while receive(&mut stream, &mut connection, &mut buffer, now)?.is_some() {}
    match connection.closed() {
        Some(closed) if closed.is_clean() => Ok(echoed),
        closed => Err(io::Error::other(format!("{closed:?}"))),
    }
}

/// The next message, or `None` when the connection has ended.
fn receive(
    stream: &mut TcpStream,
    connection: &mut Connection,
    buffer: &mut [u8],
    now: impl Fn() -> Timestamp,
) -> io::Result<Option<Message>> {
    loop {
        while let Some(event) = connection.poll_event() {
            if let Event::Message(message) = event {
                return Ok(Some(message));
            }
        }
        write(stream, connection.output())?;
        if connection.transport() != Transport::KeepOpen {
            return Ok(None);
        }
        match stream.read(buffer)? {
            0 => connection.handle_eof(now()),
            count => connection.handle_input(now(), &buffer[..count]),
        }
    }
}

fn write(stream: &mut TcpStream, output: &mut impl Buf) -> io::Result<()> {
    while output.has_remaining() {
        let written = stream.write(output.chunk())?;
        output.advance(written);
    }
    Ok(())
}

const MESSAGES: usize = 1000;
