//! Decoding: masked messages in reads of up to 64 KiB, as a server reads them. Each is taken.

use std::hint::black_box;
use std::io::Read;

use fastwebsockets::{FragmentCollector, Role as FastRole};
use futures_util::StreamExt;
use tidegate_core::{Config, Connection, Event, EventRef, Timestamp};
use tokio::io::BufReader;
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::{Runtime, limits};
use crate::frames::{Kind, SIZES};
use crate::measure::{Row, interleaved};
use crate::memory::{Endless, READ};
use crate::options::Options;
use crate::table::{Group, Table, size_name};

pub fn decode(options: &Options) -> Vec<Table> {
    let runtime = Runtime::new();
    let mut tables = Vec::new();
    for kind in Kind::ALL {
        let title = format!("Decode a masked message, {}", kind.name());
        let mut table =
            Table::new(&format!("decode-{}", kind.id()), &title, "ns a message", "tidegate core");
        table.headlines.extend(["tidegate core, receive", "tidegate core, receive_ref"]);
        table.limit = Some(limits::FUSED);
        for size in SIZES {
            table.column(size_name(size));
            let mut rows = rows(&runtime, kind, size);
            rows.extend(limits::decode(kind, size));
            let cells = interleaved(&mut rows, options.rounds, options.slice);
            for (row, cell) in rows.iter().zip(cells) {
                table.set(row.name, row.group, cell);
            }
        }
        tables.push(table);
    }
    tables
}

fn rows(runtime: &Runtime, kind: Kind, size: usize) -> Vec<Row> {
    let _guard = runtime.enter();
    let stream = Endless::of(&kind.frame(size));
    let mut rows = ours(runtime, &stream, size);
    rows.extend(sinks(runtime, &stream, kind, size));
    rows.extend(readers(runtime, &stream, kind, size));
    rows
}

fn ours(runtime: &Runtime, stream: &Endless, size: usize) -> Vec<Row> {
    let (mut input, mut buffer) = (stream.clone(), vec![0; READ]);
    let mut server = Connection::server(Timestamp::ZERO, Config::default());
    let core = move |count| {
        for _ in 0..count {
            let message = loop {
                match server.poll_event() {
                    Some(Event::Message(message)) => break message,
                    Some(event) => panic!("{event:?}"),
                    None => {
                        let length = input.read(&mut buffer).expect("memory");
                        server.handle_input(Timestamp::ZERO, &buffer[..length]);
                    }
                }
            };
            assert_eq!(black_box(message).as_bytes().len(), size);
        }
    };

    let (mut source, mut buffer, mut left) = (stream.clone(), vec![0; READ], 0..0);
    let mut server = Connection::server(Timestamp::ZERO, Config::default());
    let receive = move |count| {
        for _ in 0..count {
            let message = loop {
                let mut input = &buffer[left.clone()];
                let event = server.receive(Timestamp::ZERO, &mut input);
                left.start = left.end - input.len();
                match event {
                    Some(Event::Message(message)) => break message,
                    Some(event) => panic!("{event:?}"),
                    None => left = 0..source.read(&mut buffer).expect("memory"),
                }
            };
            assert_eq!(black_box(message).as_bytes().len(), size);
        }
    };

    let (mut source, mut buffer, mut left) = (stream.clone(), vec![0; READ], 0..0);
    let mut server = Connection::server(Timestamp::ZERO, Config::default());
    let receive_ref = move |count| {
        for _ in 0..count {
            let length = loop {
                let mut input = &mut buffer[left.clone()];
                let event = server.receive_ref(Timestamp::ZERO, &mut input);
                left.start = left.end - input.len();
                match event.as_ref().map(EventRef::message) {
                    Some(message) => break black_box(message.expect("a message").as_bytes()).len(),
                    None => left = 0..source.read(&mut buffer).expect("memory"),
                }
            };
            assert_eq!(length, size);
        }
    };

    let server = Connection::server(Timestamp::ZERO, Config::default());
    let (stream, clock) = (tidegate_core_stream(stream.clone()), tidegate_tokio::TokioClock::new());
    let mut socket = tidegate_driver::WebSocket::from_connection(stream, clock, server);
    let runtime = runtime.clone();
    let tokio = move |count| {
        runtime.run(async {
            for _ in 0..count {
                let message = socket.recv().await.expect("no fault").expect("no end");
                assert_eq!(black_box(message).as_bytes().len(), size);
            }
        });
    };
    vec![
        Row::new("tidegate core", Group::Ours, core),
        Row::new("tidegate core, receive", Group::Ours, receive),
        Row::new("tidegate core, receive_ref", Group::Ours, receive_ref),
        Row::new("tidegate tokio", Group::Ours, tokio),
    ]
}

pub fn tidegate_core_stream(stream: Endless) -> tidegate_tokio::TokioStream<Endless> {
    tidegate_tokio::TokioStream::new(stream)
}

/// Libraries that return owned messages.
fn sinks(runtime: &Runtime, stream: &Endless, kind: Kind, size: usize) -> Vec<Row> {
    let mut socket = tungstenite::WebSocket::from_raw_socket(
        stream.clone(),
        tungstenite::protocol::Role::Server,
        None,
    );
    let tungstenite = move |count| {
        for _ in 0..count {
            assert_eq!(black_box(socket.read().expect("no fault")).len(), size);
        }
    };

    let mut socket = runtime.run(tokio_tungstenite::WebSocketStream::from_raw_socket(
        stream.clone(),
        tungstenite::protocol::Role::Server,
        None,
    ));
    let own = runtime.clone();
    let tokio_tungstenite = move |count| {
        own.run(async {
            for _ in 0..count {
                let message = socket.next().await.expect("no end").expect("no fault");
                assert_eq!(black_box(message).len(), size);
            }
        });
    };

    let mut socket = tokio_websockets::ServerBuilder::new().serve(stream.clone());
    let own = runtime.clone();
    let tokio_websockets = move |count| {
        own.run(async {
            for _ in 0..count {
                let message = socket.next().await.expect("no end").expect("no fault");
                assert_eq!(black_box(message).as_payload().len(), size);
            }
        });
    };

    let options = yawc::Options::default().with_limits(4 << 20, 8 << 20).with_utf8();
    let mut socket = yawc::WebSocket::from_stream(stream.clone(), yawc::Role::Server, options)
        .expect("valid options");
    let own = runtime.clone();
    let yawc = move |count| {
        own.run(async {
            for _ in 0..count {
                let frame = socket.next_frame().await.expect("no fault");
                assert_eq!(black_box(frame).payload().len(), size);
            }
        });
    };

    let config = sockudo_ws::Config::default();
    let (frame, message) = (config.max_frame_size, config.max_message_size);
    let mut socket = sockudo_ws::WebSocketStream::server(stream.clone(), config);
    let own = runtime.clone();
    let sockudo = move |count| {
        own.run(async {
            for _ in 0..count {
                let message = socket.next().await.expect("no end").expect("no fault");
                assert_eq!(black_box(message).as_bytes().len(), size);
            }
        });
    };

    let mut input = stream.clone();
    let mut protocol =
        sockudo_ws::protocol::Protocol::new(sockudo_ws::Role::Server, frame, message);
    let (mut buffer, mut messages) = (bytes::BytesMut::new(), Vec::new());
    let sockudo_protocol = move |count| {
        for _ in 0..count {
            while messages.is_empty() {
                buffer.extend_from_slice(input.next_read(READ));
                protocol.process_into(&mut buffer, &mut messages).expect("no fault");
                messages.reverse();
            }
            let message: sockudo_ws::Message = messages.pop().expect("it is not empty");
            assert_eq!(black_box(message).as_bytes().len(), size);
        }
    };
    let _ = kind;
    vec![
        Row::new("tungstenite", Group::Peer, tungstenite),
        Row::new("tokio-tungstenite", Group::Peer, tokio_tungstenite),
        Row::new("tokio-websockets", Group::Peer, tokio_websockets),
        Row::new("yawc", Group::Peer, yawc),
        Row::new("sockudo-ws", Group::Peer, sockudo),
        Row::new("sockudo-ws, Protocol", Group::Peer, sockudo_protocol),
    ]
}

/// Libraries that lend a payload, or fill a buffer of the caller. If they do not validate text, the
/// caller does, as in their examples.
fn readers(runtime: &Runtime, stream: &Endless, kind: Kind, size: usize) -> Vec<Row> {
    let mut socket = FragmentCollector::new(fastwebsockets::WebSocket::after_handshake(
        stream.clone(),
        FastRole::Server,
    ));
    let own = runtime.clone();
    let fastwebsockets = move |count| {
        own.run(async {
            for _ in 0..count {
                let frame = socket.read_frame().await.expect("no fault");
                assert_eq!(black_box(frame).payload.len(), size);
            }
        });
    };

    let mut socket = wtx_socket::<false>(stream.clone());
    let mut buffer = wtx::collection::Vector::new();
    let own = runtime.clone();
    let wtx = move |count| {
        own.run(async {
            for _ in 0..count {
                buffer.clear();
                let origin = wtx::web_socket::WebSocketPayloadOrigin::Adaptive;
                let frame = socket.read_frame(&mut buffer, origin).await.expect("no fault");
                assert_eq!(black_box(frame).payload().len(), size);
            }
        });
    };

    let mut socket = web_socket::WebSocket::server(BufReader::with_capacity(READ, stream.clone()));
    let own = runtime.clone();
    let web_socket = move |count| {
        own.run(async {
            for _ in 0..count {
                match socket.recv_event().await.expect("no fault") {
                    web_socket::Event::Data { data, .. } => {
                        assert!(!kind.is_text() || std::str::from_utf8(&data).is_ok());
                        assert_eq!(black_box(data).len(), size);
                    }
                    _ => panic!("no data"),
                }
            }
        });
    };

    let builder = soketto::connection::Builder::new(
        stream.clone().compat(),
        soketto::connection::Mode::Server,
    );
    let (_sender, mut receiver) = builder.finish();
    let own = runtime.clone();
    let soketto = move |count| {
        own.run(async {
            for _ in 0..count {
                let mut message = Vec::new();
                receiver.receive_data(&mut message).await.expect("no fault");
                assert!(!kind.is_text() || std::str::from_utf8(&message).is_ok());
                assert_eq!(black_box(message).len(), size);
            }
        });
        let _ = &_sender;
    };
    vec![
        Row::new("fastwebsockets", Group::Peer, fastwebsockets),
        Row::new("wtx", Group::Peer, wtx),
        Row::new("web-socket", Group::Peer, web_socket),
        Row::new("soketto", Group::Peer, soketto),
    ]
}

pub type Wtx<S, const IS_CLIENT: bool> = wtx::web_socket::WebSocket<
    (),
    wtx::rng::Xorshift64,
    S,
    wtx::web_socket::WebSocketBuffer,
    IS_CLIENT,
>;

pub fn wtx_socket<const IS_CLIENT: bool>(stream: Endless) -> Wtx<Endless, IS_CLIENT> {
    wtx::web_socket::WebSocket::new(
        (),
        false,
        wtx::rng::Xorshift64::new(0x7449_6465),
        stream,
        wtx::web_socket::WebSocketBuffer::new(),
    )
}
