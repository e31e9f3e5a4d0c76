//! Messages as streams of bytes over TCP.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::Result;

use tidegate_tokio::{
    CloseCode, Config, Delivery, Error, MessageIo, MessageKind, Stats, WebSocket,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, copy, sink};

use crate::{pair, soon};

/// A pattern that shows what is lost or moved: as long as is said, and nowhere in memory.
struct Pattern {
    at: u64,
    length: u64,
}

/// The byte at a place.
fn byte(at: u64) -> u8 {
    // Printable, so that it is text too.
    b' ' + u8::try_from((at ^ (at >> 12)) % 90).unwrap()
}

impl AsyncRead for Pattern {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let end = self.length.min(self.at + buffer.remaining() as u64);
        let piece: Vec<u8> = (self.at..end).map(byte).collect();
        buffer.put_slice(&piece);
        self.at = end;
        Poll::Ready(Ok(()))
    }
}

/// Checks what is written to it.
impl AsyncWrite for Pattern {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        piece: &[u8],
    ) -> Poll<Result<usize>> {
        let end = self.at + piece.len() as u64;
        assert!((self.at..end).map(byte).eq(piece.iter().copied()), "at {}", self.at);
        self.at = end;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn config() -> Config {
    let builder = Config::builder().delivery(Delivery::Chunks).max_message_size(usize::MAX);
    #[cfg(feature = "deflate")]
    let builder = builder.deflate(tidegate_tokio::deflate::DeflateOptions::default());
    builder.build().unwrap()
}

/// Whatever the length of the message, a side holds no more than its marks, one read, and one
/// chunk on its way.
fn assert_bounded(stats: &Stats) {
    assert!(stats.peak_bytes <= 256 * 1024 + 64 * 1024, "{stats:?}");
    assert!(stats.peak_output <= 64 * 1024 + 64 * 1024 + 64, "{stats:?}");
}

async fn write(socket: &mut WebSocket, kind: MessageKind, length: u64) {
    let mut message = MessageIo::new(socket.write_message(kind));
    assert_eq!(copy(&mut Pattern { at: 0, length }, &mut message).await.unwrap(), length);
    message.shutdown().await.unwrap();
    message.shutdown().await.unwrap();
    assert!(message.write_all(b"more").await.is_err(), "it is finished");
}

async fn read(socket: &mut WebSocket, kind: MessageKind, length: u64) {
    let message = socket.read_message().await.unwrap().unwrap();
    assert_eq!(message.kind(), kind);
    let mut pattern = Pattern { at: 0, length };
    copy(&mut MessageIo::new(message), &mut pattern).await.unwrap();
    assert_eq!(pattern.at, length);
}

/// `TIDEGATE_STREAM_MIB` sets another length.
#[tokio::test]
async fn a_long_message_passes_through_constant_memory() {
    let default = if cfg!(debug_assertions) { 16 } else { 300 };
    let mib = std::env::var("TIDEGATE_STREAM_MIB").map_or(default, |mib| mib.parse().unwrap());
    for (kind, mib) in [(MessageKind::Binary, mib), (MessageKind::Text, mib / 4)] {
        let length = mib * 1024 * 1024 + 7;
        let (mut server, mut client) = pair(config(), config()).await;
        let writing = tokio::spawn(async move {
            write(&mut server, kind, length).await;
            server.close(CloseCode::NORMAL, "").await.unwrap();
            server.stats()
        });
        read(&mut client, kind, length).await;
        assert!(client.read_message().await.unwrap().is_none());
        assert_bounded(&client.stats());
        assert_bounded(&writing.await.unwrap());
    }
}

#[tokio::test]
async fn both_ways_at_once_in_parts() {
    const LENGTH: u64 = 3 * 1024 * 1024;
    let (server, client) = pair(config(), config()).await;
    let (mut sender, mut receiver, driver) = server.split();
    let driving = tokio::spawn(driver);
    // An echo that holds nothing.
    let echoing = tokio::spawn(async move {
        let message = receiver.read_message().await.unwrap().unwrap();
        let mut answer = MessageIo::new(sender.write_message(message.kind()));
        let length = copy(&mut MessageIo::new(message), &mut answer).await.unwrap();
        answer.into_inner().finish().await.unwrap();
        assert!(receiver.read_message().await.unwrap().is_none());
        length
    });
    let (mut writer, mut reader, driver) = client.split();
    let client_driving = tokio::spawn(driver);
    let writing = tokio::spawn(async move {
        let mut message = MessageIo::new(writer.write_message(MessageKind::Text));
        copy(&mut Pattern { at: 0, length: LENGTH }, &mut message).await.unwrap();
        message.shutdown().await.unwrap();
        drop(message);
        writer
    });
    let message = soon(reader.read_message()).await.unwrap().unwrap();
    let mut pattern = Pattern { at: 0, length: LENGTH };
    copy(&mut MessageIo::new(message), &mut pattern).await.unwrap();
    assert_eq!(pattern.at, LENGTH);
    let writer = writing.await.unwrap();
    soon(writer.close(CloseCode::NORMAL, "")).await.unwrap();
    assert_eq!(echoing.await.unwrap(), LENGTH);
    assert!(driving.await.unwrap().unwrap().is_clean());
    assert!(client_driving.await.unwrap().unwrap().is_clean());
}

#[tokio::test]
async fn half_a_message_is_never_a_message() {
    for is_closed in [true, false] {
        let (mut server, mut client) = pair(config(), config()).await;
        let mut message = MessageIo::new(server.write_message(MessageKind::Binary));
        message.write_all(b"half").await.unwrap();
        message.flush().await.unwrap();
        drop(message);
        if is_closed {
            tokio::spawn(async move { server.recv().await });
        } else {
            drop(server);
        }
        let message = soon(client.read_message()).await.unwrap().unwrap();
        let mut message = MessageIo::new(message);
        let mut read = Vec::new();
        let error = soon(message.read_to_end(&mut read)).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
        assert_eq!(client.closed().unwrap().is_clean(), is_closed);
        if is_closed {
            assert_eq!(client.closed().unwrap().code(), CloseCode::INTERNAL_ERROR);
        }

        let (mut server, mut client) = pair(config(), Config::default()).await;
        server.write_message(MessageKind::Binary).send_chunk("half").await.unwrap();
        let ending = tokio::spawn(async move { server.close(CloseCode::NORMAL, "").await });
        assert!(matches!(soon(client.recv()).await, Err(Error::Closed(_))));
        assert_eq!(client.closed().unwrap().code(), CloseCode::INTERNAL_ERROR);
        soon(ending).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_reader_that_is_dropped_skips_a_message_that_is_still_coming() {
    let (mut server, mut client) = pair(config(), config()).await;
    let writing = tokio::spawn(async move {
        write(&mut server, MessageKind::Binary, 2 * 1024 * 1024).await;
        server.send("next").await?;
        server.close(CloseCode::NORMAL, "").await?;
        Ok::<_, Error>(())
    });
    let message = soon(client.read_message()).await.unwrap().unwrap();
    let mut message = MessageIo::new(message);
    copy(&mut (&mut message).take(100_000), &mut sink()).await.unwrap();
    drop(message);
    assert_eq!(soon(client.recv()).await.unwrap(), Some("next".into()));
    assert_eq!(soon(client.recv()).await.unwrap(), None);
    writing.await.unwrap().unwrap();
}
