//! Any calls in any order: nothing panics, nothing spins, and what must hold after each call holds.
#![no_main]

use core::time::Duration;

use arbitrary::Arbitrary;
use bytes::Buf;
use libfuzzer_sys::fuzz_target;
use tidegate_core::deflate::{DeflateOptions, DeflateParams};
use tidegate_core::{
    Chunk, CloseCode, CloseFrame, Config, Connection, Event, MessageKind, PongPolicy, Timestamp,
    Transport, Watermarks,
};

#[derive(Arbitrary, Debug)]
struct Case {
    is_client: bool,
    settings: Settings,
    calls: Vec<Call>,
}

#[derive(Arbitrary, Debug)]
struct Settings {
    high: u8,
    bytes: u16,
    max_message_size: u16,
    max_frame_size: Option<u16>,
    validate_utf8: bool,
    surface_control: bool,
    pongs: u8,
    deflate: Option<(bool, bool, u8, u8)>,
}

#[derive(Arbitrary, Debug)]
enum Call {
    Input(Vec<u8>),
    End,
    Wait(u16),
    Take(u8),
    Write(u16),
    Send(bool, Vec<u8>),
    Chunk(bool, Vec<u8>, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    Abort,
}

impl Settings {
    fn config(&self) -> Config {
        let high = usize::from(self.high).max(1);
        let bytes = usize::from(self.bytes).max(1);
        Config::builder()
            .message_marks(Watermarks::new(high, high / 2).expect("valid"))
            .byte_marks(Watermarks::new(bytes, bytes / 3).expect("valid"))
            .send_marks(Watermarks::new(bytes, bytes / 4).expect("valid"))
            .max_message_size(usize::from(self.max_message_size).max(1))
            .max_frame_size(self.max_frame_size.map(|size| usize::from(size).max(1)))
            .validate_utf8(self.validate_utf8)
            .surface_control(self.surface_control)
            .pong_policy(match self.pongs % 3 {
                0 => PongPolicy::OnReceipt,
                1 => PongPolicy::InOrder,
                _ => PongPolicy::Manual,
            })
            .ping_interval(Duration::from_millis(300))
            .pong_timeout(Duration::from_millis(500))
            .write_timeout(Duration::from_secs(2))
            .deflate(self.deflate.map(|_| DeflateOptions::default().min_size(0)))
            .build()
            .expect("valid")
    }
}

fuzz_target!(|case: Case| {
    let mut now = Timestamp::ZERO;
    let config = case.settings.config();
    let high = config.message_marks().high();
    let mut connection = if case.is_client {
        Connection::client(now, config, [1; 32])
    } else {
        Connection::server(now, config)
    };
    if let Some((server, client, server_bits, client_bits)) = case.settings.deflate {
        connection = connection.with_deflate(DeflateParams {
            server_no_context_takeover: server,
            client_no_context_takeover: client,
            server_max_window_bits: 8 + server_bits % 8,
            client_max_window_bits: 8 + client_bits % 8,
        });
    }

    let mut is_closed = false;
    for call in case.calls {
        match call {
            Call::Input(bytes) => connection.handle_input(now, &bytes),
            Call::End => connection.handle_eof(now),
            Call::Wait(millis) => {
                now = now + Duration::from_millis(millis.into());
                connection.handle_timeout(now);
            }
            Call::Take(count) => {
                for _ in 0..count {
                    let Some(event) = connection.poll_event() else { break };
                    assert!(!is_closed, "the end is the last event");
                    is_closed = matches!(event, Event::Closed(_));
                }
            }
            Call::Write(most) => {
                let output = connection.output();
                let count = usize::from(most).min(output.remaining());
                output.advance(count);
            }
            Call::Send(true, bytes) => {
                let could = connection.can_send();
                let text = String::from_utf8_lossy(&bytes).into_owned();
                assert_eq!(connection.send(text).is_ok(), could);
            }
            Call::Send(false, bytes) => {
                let could = connection.can_send();
                assert_eq!(connection.send(bytes).is_ok(), could);
            }
            Call::Chunk(text, payload, last) => {
                let kind = if text { MessageKind::Text } else { MessageKind::Binary };
                let _ = connection.send_chunk(Chunk { kind, payload: payload.into(), last });
            }
            Call::Ping(payload) => drop(connection.ping(now, payload)),
            Call::Pong(payload) => drop(connection.pong(payload)),
            Call::Close(frame) => {
                let frame =
                    frame.map(|(code, reason)| CloseFrame::new(CloseCode::from(code), reason));
                let _ = connection.close(now, frame);
            }
            Call::Abort => connection.abort(),
        }
        assert!(connection.queued_messages() <= high, "the gate holds");
        assert!(!connection.wants_input() || connection.is_gate_open());
        if connection.transport() == Transport::Close {
            assert!(connection.closed().is_some(), "it says why");
        }
    }
});
