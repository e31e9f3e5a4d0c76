//! Compression as an application of tokio asks for it.
#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use tidegate_tokio::deflate::DeflateOptions;
use tidegate_tokio::{CloseCode, Compress, Config, Options, Outgoing, connect_with, split_spawn};
use tokio::net::TcpListener;

/// Each message says whether it is compressed, whole and split; what was not negotiated is not.
#[tokio::test]
async fn a_message_says_whether_it_is_compressed() {
    let deflate = Config::builder().deflate(DeflateOptions::default()).build().unwrap();
    let plain = Config::default();
    for (config, compresses) in [(deflate, true), (plain, false)] {
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let of_server = Arc::clone(&config);
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let incoming = tidegate_tokio::accept(stream).await.unwrap();
            let mut socket = incoming.config(of_server).accept().await.unwrap();
            let mut lengths = Vec::new();
            while let Some(message) = socket.recv().await.unwrap() {
                lengths.push(message.len());
            }
            lengths
        });

        let text = "tide ".repeat(2_000);
        let mut socket =
            connect_with(&url, Options::builder().config(config).build().unwrap()).await.unwrap();
        socket.send(&*text).await.unwrap();
        let short = socket.stats().bytes_out;
        assert_eq!(short < 1_000, compresses, "{short}");
        socket.send(Outgoing::from(&*text).compress(Compress::Never)).await.unwrap();
        assert!(socket.stats().bytes_out > short + 10_000);

        let (sender, _receiver) = split_spawn(socket);
        let before = sender.stats().bytes_out;
        sender.send(Outgoing::from(&*text).compress(Compress::Always)).await.unwrap();
        sender.flush().await.unwrap();
        let short = sender.stats().bytes_out - before;
        assert_eq!(short < 1_000, compresses, "{short}");
        sender.send(Outgoing::from(&*text).compress(Compress::Never)).await.unwrap();
        sender.flush().await.unwrap();
        assert!(sender.stats().bytes_out > before + short + 10_000);
        sender.close(CloseCode::NORMAL, "").await.unwrap();
        assert_eq!(server.await.unwrap(), [10_000; 4]);
    }
}
