//! Random messages, options and idle times: the peer receives what was sent.

use proptest::prelude::*;
use tidegate_core::deflate::{DeflateOptions, DeflateParams, DeflatePool};
use tidegate_core::{Chunk, Compress, Connection, Event, Message, MessageKind, Outgoing};

use crate::support::{MINUTE, NOW, config, drain, idle};

fn params() -> impl Strategy<Value = DeflateParams> {
    (any::<bool>(), any::<bool>(), 8u8..=15, 8u8..=15).prop_map(|(server, client, s, c)| {
        DeflateParams {
            server_no_context_takeover: server,
            client_no_context_takeover: client,
            server_max_window_bits: s,
            client_max_window_bits: c,
        }
    })
}

/// Text that compresses well, with references far back, and bytes that do not compress.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        proptest::collection::vec(any::<u8>(), 1..300),
        ("[a-f]{1,8}", 1usize..9000).prop_map(|(word, times)| word.repeat(times).into_bytes()),
        (any::<u64>(), 1usize..70_000).prop_map(|(mut state, length)| {
            core::iter::repeat_with(|| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                b'a' + (state >> 60) as u8
            })
            .take(length)
            .collect()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn random_messages_settings_and_splits_round_trip(
        params in params(),
        level in 1u8..=9,
        mem_level in 1u8..=9,
        messages in proptest::collection::vec(
            (payload(), any::<bool>(), 1usize..20_000, 0u8..3, 0u32..3, 0u32..3),
            1..6,
        ),
        split in 1usize..40_000,
        from_client: bool,
        pooled: bool,
    ) {
        let pool = pooled.then(|| DeflatePool::new(2));
        let options = DeflateOptions::builder().level(level).mem_level(mem_level).pool(pool);
        let options = options.build().unwrap();
        let config = config(options).to_builder().ping_interval(MINUTE).pong_timeout(None).write_timeout(None);
        let config = config.build().unwrap();
        let server = Connection::server(NOW, config.clone()).with_deflate(params);
        let client = Connection::client(NOW, config, [3; 32]).with_deflate(params);
        let (mut from, mut to) = if from_client { (client, server) } else { (server, client) };
        let mut now = NOW;
        for (payload, in_chunks, size, compress, from_idles, to_idles) in messages {
            // After two idle minutes the buffers are freed, after one perhaps, inside a message never.
            now = idle(&mut from, now, from_idles);
            now = idle(&mut to, now, to_idles);
            drain(&mut to);
            if in_chunks {
                let mut pieces = payload.chunks(size).peekable();
                loop {
                    let piece = pieces.next().unwrap_or_default().to_vec().into();
                    let last = pieces.peek().is_none();
                    let chunk = Chunk { kind: MessageKind::Binary, payload: piece, last };
                    from.send_chunk(chunk).unwrap();
                    if last {
                        break;
                    }
                    now = idle(&mut from, now, from_idles);
                }
            } else {
                let compress = [Compress::Auto, Compress::Always, Compress::Never][compress as usize];
                from.send(Outgoing::from(payload.clone()).compress(compress)).unwrap();
            }
            for piece in drain(&mut from).chunks(split) {
                to.handle_input(now, piece);
                now = idle(&mut to, now, to_idles);
            }
            prop_assert_eq!(to.closed(), None);
            prop_assert_eq!(to.poll_event(), Some(Event::Message(Message::binary(payload))));
        }
    }
}
