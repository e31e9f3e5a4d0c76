//! A minimal opening handshake for libraries that otherwise need a web server.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Answers a request, with these extensions.
pub async fn handshake(stream: &mut TcpStream, extensions: Option<&str>) -> io::Result<()> {
    let mut head = Vec::with_capacity(512);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
        .ok_or(io::ErrorKind::InvalidData)?;
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = STANDARD.encode(hash.finalize());
    let extensions = match extensions {
        Some(extensions) => format!("Sec-WebSocket-Extensions: {extensions}\r\n"),
        None => String::new(),
    };
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{extensions}\r\n"
    );
    stream.write_all(answer.as_bytes()).await
}

/// The extensions that the client's offer asks for.
pub async fn negotiate(stream: &mut TcpStream) -> io::Result<&'static str> {
    let mut peeked = [0; 2048];
    let length = stream.peek(&mut peeked).await?;
    let head = String::from_utf8_lossy(&peeked[..length]);
    let extensions = if head.contains("no_context_takeover") {
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    } else {
        "permessage-deflate"
    };
    handshake(stream, Some(extensions)).await?;
    Ok(extensions)
}
