//! The same bytes have the same effect for every split into pieces.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc)]

mod streams;

use proptest::collection::vec;
use proptest::prelude::*;

use tidegate_core::deflate::DeflateParams;
use tidegate_core::{Closed, Config, Event, PongPolicy, Role, Stats, Timestamp, Transport};

use tidegate_core::testing::strategies::config;

use self::streams::{Mutation, connection, deflate, drain, encode, frame};

/// Everything observable in one replay.
#[derive(Debug, PartialEq)]
struct Seen {
    events: Vec<Event>,
    output: Vec<u8>,
    closed: Option<Closed>,
    transport: Transport,
    stats: Stats,
    wants_input: bool,
    timeout: Option<Timestamp>,
}

/// A segment of input: its length, how many events are taken after it, and whether output is written.
type Segment = (usize, usize, bool);

fn replay(
    (role, params): (Role, Option<DeflateParams>),
    config: &Config,
    bytes: &[u8],
    segments: &[Segment],
    sizes: &[usize],
) -> Seen {
    let mut connection = connection(role, config, params);
    let (mut events, mut output) = (Vec::new(), Vec::new());
    let mut sizes = sizes.iter().cycle();
    let mut rest = bytes;
    let last = (usize::MAX, usize::MAX, true);
    for (index, &(length, takes, drains)) in segments.iter().chain([&last]).enumerate() {
        let now = Timestamp::from_millis(10 * index as u64);
        let (mut segment, later) = rest.split_at(length.min(rest.len()));
        rest = later;
        while !segment.is_empty() {
            let (piece, more) = segment.split_at((*sizes.next().unwrap()).min(segment.len()));
            segment = more;
            connection.handle_input(now, piece);
        }
        if index == segments.len() {
            connection.handle_eof(now);
        }
        for _ in 0..takes {
            match connection.poll_event() {
                Some(event) => events.push(event),
                None => break,
            }
        }
        if drains {
            drain(&mut connection, usize::MAX, &mut output);
        }
        connection.handle_timeout(now);
    }
    Seen {
        events,
        output,
        closed: connection.closed().cloned(),
        transport: connection.transport(),
        stats: connection.stats(),
        wants_input: connection.wants_input(),
        timeout: connection.poll_timeout(),
    }
}

/// The method that decodes the input.
#[derive(Clone, Copy)]
enum Way {
    Queued,
    Received,
    Lent,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_split_has_the_same_effect(
        config in config(),
        is_client: bool,
        params in deflate(),
        frames in vec(frame(), 0..30),
        tidy in prop::bool::weighted(0.8),
        mutations in prop_oneof![2 => Just(vec![]), 1 => vec(any::<Mutation>(), 0..3)],
        segments in vec((0usize..150, 0usize..4, any::<bool>()), 0..12),
        sizes in vec(1usize..60, 1..10),
    ) {
        let role = if is_client { Role::Client } else { Role::Server };
        let bytes = encode(frames, role, params, tidy, &mutations);
        let end = (role, params);
        let whole = replay(end, &config, &bytes, &segments, &[usize::MAX]);
        prop_assert_eq!(&whole, &replay(end, &config, &bytes, &segments, &[1]));
        prop_assert_eq!(&whole, &replay(end, &config, &bytes, &segments, &sizes));
        let ends: Vec<_> =
            whole.events.iter().filter(|event| matches!(event, Event::Closed(_))).collect();
        prop_assert_eq!(ends.len(), 1, "the end is told once");
        prop_assert!(matches!(whole.events.last(), Some(Event::Closed(_))), "and last");
    }

    /// `receive` and `receive_ref` return the same events as the queue.
    #[test]
    fn receive_agrees_with_the_queue(
        config in config(),
        is_client: bool,
        params in deflate(),
        frames in vec(frame(), 0..30),
        tidy in prop::bool::weighted(0.8),
        mutations in prop_oneof![2 => Just(vec![]), 1 => vec(any::<Mutation>(), 0..3)],
        sizes in vec(prop_oneof![1usize..60, 1usize..2000], 1..10),
    ) {
        // With `InOrder`, several pings after one queued message get one answer.
        let config = config.to_builder().pong_policy(PongPolicy::OnReceipt).build().unwrap();
        let role = if is_client { Role::Client } else { Role::Server };
        let bytes = encode(frames, role, params, tidy, &mutations);
        let [queued, received, lent] = [Way::Queued, Way::Received, Way::Lent].map(|way| {
            let mut connection = connection(role, &config, params);
            let (mut events, mut output) = (Vec::new(), Vec::new());
            let (mut rest, mut sizes) = (&bytes[..], sizes.iter().cycle());
            let mut now = Timestamp::ZERO;
            while !rest.is_empty() {
                let (mut piece, more) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                rest = more;
                match way {
                    Way::Queued => {
                        connection.handle_input(now, piece);
                        events.extend(core::iter::from_fn(|| connection.poll_event()));
                    }
                    Way::Received => {
                        while let Some(event) = connection.receive(now, &mut piece) {
                            events.push(event);
                        }
                        assert!(piece.is_empty(), "nothing is left after the last event");
                    }
                    Way::Lent => {
                        let mut buffer = piece.to_vec();
                        let mut input = &mut buffer[..];
                        while let Some(event) = connection.receive_ref(now, &mut input) {
                            events.push(event.into_event());
                            assert!(piece.ends_with(input), "the input after it is unchanged");
                        }
                        assert!(input.is_empty(), "nothing is left after the last event");
                    }
                }
                drain(&mut connection, usize::MAX, &mut output);
                connection.handle_timeout(now);
                now = now + core::time::Duration::from_millis(10);
            }
            let Stats { messages_in, bytes_in, pings_in, pongs_in, .. } = connection.stats();
            let counted = (messages_in, bytes_in, pings_in, pongs_in);
            let ends = (connection.closed().cloned(), connection.transport());
            (events, output, counted, ends, connection.wants_input(), connection.poll_timeout())
        });
        prop_assert_eq!(&queued, &received);
        prop_assert_eq!(&queued, &lent);
    }
}
