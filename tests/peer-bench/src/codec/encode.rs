//! Encoding: messages in batches, as many as fit in a read of 64 KiB, at most 32, and then a flush if
//! the library has one. The others write each message to the stream, which costs nothing here; the
//! echo section shows what it costs on a socket.

use std::hint::black_box;

use bytes::{Buf, Bytes};
use fastwebsockets::{Frame as FastFrame, Payload};
use futures_util::SinkExt;
use tidegate_core::{Config, Connection, Message, Timestamp};
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::Runtime;
use super::decode::{tidegate_core_stream, wtx_socket};
use crate::frames::{Kind, SIZES};
use crate::measure::{Row, interleaved};
use crate::memory::Endless;
use crate::options::Options;
use crate::table::{Group, Table, size_name};

pub fn encode(options: &Options) -> Vec<Table> {
    let runtime = Runtime::new();
    let mut tables = Vec::new();
    for is_client in [false, true] {
        let role = if is_client { "client" } else { "server" };
        let title = format!("Encode a binary message as {role}");
        let mut table =
            Table::new(&format!("encode-{role}"), &title, "ns a message", "tidegate core");
        table.headlines.push("tidegate core, send_ref");
        for size in SIZES {
            table.column(size_name(size));
            let mut rows = rows(&runtime, is_client, size);
            let cells = interleaved(&mut rows, options.rounds, options.slice);
            for (row, cell) in rows.iter().zip(cells) {
                table.set(row.name, row.group, cell);
            }
        }
        tables.push(table);
    }
    tables
}

fn rows(runtime: &Runtime, is_client: bool, size: usize) -> Vec<Row> {
    let _guard = runtime.enter();
    let payload = Bytes::from(Kind::Binary.payload(size));
    let batch = ((64 << 10) / (size + 14)).clamp(1, 32);
    let mut rows = ours(runtime, is_client, &payload, batch);
    rows.extend(batching(runtime, is_client, &payload, batch));
    rows.extend(writing(runtime, is_client, &payload, batch));
    let mut target = vec![0; size];
    let memcpy = move |count| {
        for _ in 0..count {
            target.copy_from_slice(black_box(&payload));
            black_box(&mut target);
        }
    };
    rows.push(Row::new("limit: memcpy", Group::Limit, memcpy));
    rows
}

fn connection(is_client: bool) -> Connection {
    if is_client {
        Connection::client(Timestamp::ZERO, Config::default(), [7; 32])
    } else {
        Connection::server(Timestamp::ZERO, Config::default())
    }
}

fn ours(runtime: &Runtime, is_client: bool, payload: &Bytes, batch: usize) -> Vec<Row> {
    let mut core = connection(is_client);
    let message = Message::Binary(payload.clone());
    let mut sent = 0;
    let encode = move |count| {
        for _ in 0..count {
            core.send(black_box(message.clone())).expect("there is room");
            sent += 1;
            if sent % batch == 0 || !core.can_send() {
                write(&mut core);
            }
        }
    };
    let mut core = connection(is_client);
    let mut sent = 0;
    let kept = payload.clone();
    let encode_ref = move |count| {
        for _ in 0..count {
            core.send_ref(black_box(&kept[..])).expect("there is room");
            sent += 1;
            if sent % batch == 0 || !core.can_send() {
                write(&mut core);
            }
        }
    };
    let stream = tidegate_core_stream(Endless::silent());
    let clock = tidegate_tokio::TokioClock::new();
    let mut socket =
        tidegate_driver::WebSocket::from_connection(stream, clock, connection(is_client));
    let message = Message::Binary(payload.clone());
    let own = runtime.clone();
    let tokio = move |count| {
        own.run(async {
            for index in 1..=count {
                socket.feed(message.clone()).await.expect("no fault");
                if index % batch == 0 {
                    socket.flush().await.expect("no fault");
                }
            }
            socket.flush().await.expect("no fault");
        });
    };
    vec![
        Row::new("tidegate core", Group::Ours, encode),
        Row::new("tidegate core, send_ref", Group::Ours, encode_ref),
        Row::new("tidegate tokio", Group::Ours, tokio),
    ]
}

/// Takes all output, as a vectored write would.
fn write(connection: &mut Connection) {
    let output = connection.output();
    while output.has_remaining() {
        let mut slices = [std::io::IoSlice::new(&[]); 16];
        let used = output.chunks_vectored(&mut slices);
        let length = black_box(&slices[..used]).iter().map(|slice| slice.len()).sum();
        output.advance(length);
    }
}

/// Repeatedly feeds a batch and flushes.
macro_rules! feed {
    ($runtime:ident, $socket:ident, $batch:ident, $message:expr) => {{
        let own = $runtime.clone();
        move |count| {
            own.run(async {
                for index in 1..=count {
                    $socket.feed($message).await.expect("no fault");
                    if index % $batch == 0 {
                        $socket.flush().await.expect("no fault");
                    }
                }
                $socket.flush().await.expect("no fault");
            });
        }
    }};
}

/// Libraries that collect messages before they write.
fn batching(runtime: &Runtime, is_client: bool, payload: &Bytes, batch: usize) -> Vec<Row> {
    use tungstenite::protocol::Role;
    let role = if is_client { Role::Client } else { Role::Server };
    let mut socket = tungstenite::WebSocket::from_raw_socket(Endless::silent(), role, None);
    let bytes = payload.clone();
    let tungstenite = move |count| {
        for index in 1..=count {
            socket.write(tungstenite::Message::Binary(bytes.clone())).expect("no fault");
            if index % batch == 0 {
                socket.flush().expect("no fault");
            }
        }
    };

    let mut socket = runtime.run(tokio_tungstenite::WebSocketStream::from_raw_socket(
        Endless::silent(),
        role,
        None,
    ));
    let bytes = payload.clone();
    let tokio_tungstenite =
        feed!(runtime, socket, batch, tungstenite::Message::Binary(bytes.clone()));

    let bytes = payload.clone();
    let tokio_websockets: Box<dyn FnMut(usize)> = if is_client {
        let mut socket = tokio_websockets::ClientBuilder::new().take_over(Endless::silent());
        Box::new(feed!(runtime, socket, batch, tokio_websockets::Message::binary(bytes.clone())))
    } else {
        let mut socket = tokio_websockets::ServerBuilder::new().serve(Endless::silent());
        Box::new(feed!(runtime, socket, batch, tokio_websockets::Message::binary(bytes.clone())))
    };

    let role = if is_client { yawc::Role::Client } else { yawc::Role::Server };
    let options = yawc::Options::default().with_limits(4 << 20, 8 << 20);
    let mut socket =
        yawc::WebSocket::from_stream(Endless::silent(), role, options).expect("valid options");
    let bytes = payload.clone();
    let yawc = feed!(runtime, socket, batch, yawc::Frame::binary(bytes.clone()));

    let config = sockudo_ws::Config::default();
    let role = if is_client { sockudo_ws::Role::Client } else { sockudo_ws::Role::Server };
    let mut protocol =
        sockudo_ws::protocol::Protocol::new(role, config.max_frame_size, config.max_message_size);
    let mut socket = sockudo_ws::WebSocketStream::from_raw(Endless::silent(), role, config);
    let bytes = payload.clone();
    let sockudo = feed!(runtime, socket, batch, sockudo_ws::Message::Binary(bytes.clone()));

    let (message, mut buffer) =
        (sockudo_ws::Message::Binary(payload.clone()), bytes::BytesMut::new());
    let sockudo_protocol = move |count| {
        for index in 1..=count {
            protocol.encode_message(black_box(&message), &mut buffer).expect("no fault");
            if index % batch == 0 {
                black_box(&buffer);
                buffer.clear();
            }
        }
    };
    vec![
        Row::new("tungstenite", Group::Peer, tungstenite),
        Row::new("tokio-tungstenite", Group::Peer, tokio_tungstenite),
        Row::new("tokio-websockets", Group::Peer, tokio_websockets),
        Row::new("yawc", Group::Peer, yawc),
        Row::new("sockudo-ws", Group::Peer, sockudo),
        Row::new("sockudo-ws, Protocol", Group::Peer, sockudo_protocol),
    ]
}

/// Libraries that write each message separately. A client's payload is passed in the form that they
/// mask fastest.
fn writing(runtime: &Runtime, is_client: bool, payload: &Bytes, batch: usize) -> Vec<Row> {
    let role = if is_client { fastwebsockets::Role::Client } else { fastwebsockets::Role::Server };
    let mut socket = fastwebsockets::WebSocket::after_handshake(Endless::silent(), role);
    let mut bytes = payload.to_vec();
    let own = runtime.clone();
    let fastwebsockets = move |count| {
        own.run(async {
            for _ in 0..count {
                let payload = Payload::BorrowedMut(&mut bytes);
                socket.write_frame(FastFrame::binary(payload)).await.expect("no fault");
            }
        });
    };

    let bytes = payload.to_vec();
    let own = runtime.clone();
    let wtx: Box<dyn FnMut(usize)> = if is_client {
        Box::new(write_wtx(own, wtx_socket::<true>(Endless::silent()), bytes))
    } else {
        Box::new(write_wtx(own, wtx_socket::<false>(Endless::silent()), bytes))
    };

    let mut socket = if is_client {
        web_socket::WebSocket::client(Endless::silent())
    } else {
        web_socket::WebSocket::server(Endless::silent())
    };
    let bytes = payload.clone();
    let own = runtime.clone();
    let web_socket = move |count| {
        own.run(async {
            for _ in 0..count {
                socket.send(&bytes[..]).await.expect("no fault");
            }
        });
    };

    let mode = if is_client {
        soketto::connection::Mode::Client
    } else {
        soketto::connection::Mode::Server
    };
    let (mut sender, _receiver) =
        soketto::connection::Builder::new(Endless::silent().compat(), mode).finish();
    let mut bytes = payload.to_vec();
    let own = runtime.clone();
    let soketto = move |count| {
        own.run(async {
            for index in 1..=count {
                sender.send_binary_mut(&mut bytes).await.expect("no fault");
                if index % batch == 0 {
                    sender.flush().await.expect("no fault");
                }
            }
        });
        let _ = &_receiver;
    };
    vec![
        Row::new("fastwebsockets", Group::Peer, fastwebsockets),
        Row::new("wtx", Group::Peer, wtx),
        Row::new("web-socket", Group::Peer, web_socket),
        Row::new("soketto", Group::Peer, soketto),
    ]
}

fn write_wtx<const IS_CLIENT: bool>(
    runtime: Runtime,
    mut socket: super::decode::Wtx<Endless, IS_CLIENT>,
    mut bytes: Vec<u8>,
) -> impl FnMut(usize) {
    use wtx::web_socket::{Frame, OpCode};
    move |count| {
        runtime.run(async {
            for _ in 0..count {
                let mut frame = Frame::<_, IS_CLIENT>::new_fin(OpCode::Binary, &mut bytes[..]);
                socket.write_frame(&mut frame).await.expect("no fault");
            }
        });
    }
}
