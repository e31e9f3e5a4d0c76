//! Echo servers with permessage-deflate.

use std::net::TcpListener;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tidegate_tokio::deflate::{DeflateOptions, DeflatePool};

use super::handshake::negotiate;
use super::peers::yawc_options;
use super::{Fault, on_tokio};

pub fn tidegate_1(listener: TcpListener) {
    tidegate(listener, 1, false);
}

pub fn tidegate_3(listener: TcpListener) {
    tidegate(listener, 3, false);
}

pub fn tidegate_3_feed(listener: TcpListener) {
    tidegate(listener, 3, true);
}

pub fn tidegate_6(listener: TcpListener) {
    tidegate(listener, 6, false);
}

fn tidegate(listener: TcpListener, level: u8, feeds: bool) {
    let options = DeflateOptions::builder().level(level).pool(DeflatePool::new(8));
    let options = options.build().expect("a level");
    let config = tidegate_tokio::Config::builder().deflate(options).build();
    let config = Arc::new(config.expect("a configuration"));
    on_tokio(listener, move |stream| {
        let config = Arc::clone(&config);
        async move {
            let incoming = tidegate_tokio::accept(stream).await?;
            let mut socket = incoming.config(config).accept().await?;
            while let Some(message) = socket.recv().await? {
                if feeds {
                    socket.feed(message).await?;
                } else {
                    socket.send(message).await?;
                }
            }
            Ok::<_, tidegate_tokio::Error>(())
        }
    });
}

pub fn yawc(listener: TcpListener) {
    let pool = yawc::DeflatePool::new(8);
    on_tokio(listener, move |mut stream| {
        let pool = pool.clone();
        async {
            let extensions = negotiate(&mut stream).await?;
            let mut options = yawc_options().with_balanced_compression().with_deflate_pool(pool);
            if extensions.contains("no_context_takeover") {
                options = options.server_no_context_takeover().client_no_context_takeover();
            }
            let role = yawc::Role::Server;
            let mut socket = yawc::WebSocket::from_stream_with_extensions(
                stream,
                role,
                Some(extensions),
                options,
            )?;
            while let Ok(frame) = socket.next_frame().await {
                if !frame.opcode().is_control() {
                    socket.send(frame).await?;
                }
            }
            Ok::<_, Fault>(())
        }
    });
}

pub fn sockudo(listener: TcpListener) {
    sockudo_with(listener, sockudo_ws::Compression::Dedicated);
}

pub fn sockudo_shared(listener: TcpListener) {
    sockudo_with(listener, sockudo_ws::Compression::Shared);
}

fn sockudo_with(listener: TcpListener, compression: sockudo_ws::Compression) {
    on_tokio(listener, move |mut stream| async move {
        let extensions = negotiate(&mut stream).await?;
        let mut deflate = compression.to_deflate_config().ok_or("no deflate")?;
        if extensions.contains("no_context_takeover") {
            deflate.server_no_context_takeover = true;
            deflate.client_no_context_takeover = true;
        }
        let config = sockudo_ws::Config::builder().compression(compression).build();
        let mut socket = sockudo_ws::CompressedWebSocketStream::server(stream, config, deflate);
        while let Some(message) = socket.next().await {
            let message = message?;
            if message.is_text() || message.is_binary() {
                socket.send(message).await?;
            }
        }
        Ok::<_, Fault>(())
    });
}
