//! The memory of a connection with compression stays within `Config::memory_bound()`, whatever the
//! peer sends, and without context takeover compression holds no memory between messages.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc)]

use std::sync::Arc;

use bytes::{Buf, Bytes};
use peak_alloc::PeakAlloc;

use tidegate_core::deflate::{DeflateOptions, DeflateParams, DeflatePool};
use tidegate_core::{
    Chunk, CloseCode, Compress, Config, Connection, Event, Message, MessageKind, READ_SIZE, Role,
    Timestamp, Watermarks,
};
use tidegate_tests::frames::{Frame, opcode};
use tidegate_tests::inflate::Inflater;
use tidegate_tests::random::Random;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MIB: usize = 1024 * 1024;

/// Both roles, with and without context takeover.
const ENDS: [(Role, bool); 4] =
    [(Role::Client, true), (Role::Client, false), (Role::Server, true), (Role::Server, false)];

fn params(takeover: bool) -> DeflateParams {
    DeflateParams {
        server_no_context_takeover: !takeover,
        client_no_context_takeover: !takeover,
        ..DeflateParams::default()
    }
}

fn connection(role: Role, config: &Arc<Config>, params: Option<DeflateParams>) -> Connection {
    let now = Timestamp::ZERO;
    let connection = match role {
        Role::Client => Connection::client(now, config.clone(), [1; 32]),
        Role::Server => Connection::server(now, config.clone()),
    };
    match params {
        Some(params) => connection.with_deflate(params),
        None => connection,
    }
}

fn drain(connection: &mut Connection) -> Vec<u8> {
    let output = connection.output();
    let mut bytes = Vec::new();
    while output.has_remaining() {
        bytes.extend_from_slice(output.chunk());
        output.advance(output.chunk().len());
    }
    bytes
}

/// This many zeros, compressed and ending at a byte boundary, so that it can be repeated anywhere.
fn zeros(length: usize) -> Vec<u8> {
    let options = DeflateOptions::builder().level(9).build().unwrap();
    let config = Arc::new(Config::builder().deflate(options).build().unwrap());
    let mut server = connection(Role::Server, &config, Some(params(true)));
    let payload = Bytes::from(vec![0; length]);
    server.send_chunk(Chunk { kind: MessageKind::Binary, payload, last: false }).unwrap();
    let frames = Frame::parse_all(&drain(&mut server)).unwrap();
    let compressed = frames.into_iter().next().unwrap().payload;
    assert!(compressed.len() < 1100, "{}", compressed.len());
    let inflated = Inflater::new(15, true).message(&message(&compressed)).unwrap();
    assert_eq!(inflated, vec![0; length]);
    compressed
}

/// A whole message, without the tail of the flush.
fn message(compressed: &[u8]) -> Vec<u8> {
    compressed.strip_suffix(&[0x00, 0x00, 0xFF, 0xFF]).unwrap().to_vec()
}

/// The frames of a compressed message for this role, with this many bytes in each.
fn frames(role: Role, opcode: u8, compressed: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let count = compressed.len().div_ceil(size);
    for (index, piece) in compressed.chunks(size).enumerate() {
        let mut frame = Frame::new(if index == 0 { opcode } else { 0 }, piece);
        frame.fin = index + 1 == count;
        frame.reserved = if index == 0 { 4 } else { 0 };
        let frame = if role == Role::Server { frame.masked([3, 99, 0, 7]) } else { frame };
        bytes.extend(frame.encode());
    }
    bytes
}

/// What was observed in one run.
struct Seen {
    peak: usize,
    messages: usize,
    bytes: usize,
    most_queued: usize,
    sent: Option<CloseCode>,
}

/// Feeds all of `input` in reads, and takes an event only when the gate is closed. Before each read
/// the outbox is filled with compressed messages, which are never written.
fn run(role: Role, config: &Arc<Config>, params: DeflateParams, input: &[u8]) -> Seen {
    let now = Timestamp::ZERO;
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let mut connection = Box::new(connection(role, config, Some(params)));
    let (mut messages, mut bytes, mut most_queued) = (0, 0, 0);
    let mut rest = input;
    loop {
        while connection.can_send() {
            let message = Message::binary(&b"to a peer that does not read"[..]);
            connection.send_with(message, Compress::Always).unwrap();
        }
        if connection.wants_input() && !rest.is_empty() {
            let (read, later) = rest.split_at(rest.len().min(connection.read_size()));
            connection.handle_input(now, read);
            rest = later;
            most_queued = most_queued.max(connection.queued_bytes());
            continue;
        }
        match connection.poll_event() {
            Some(Event::Message(message)) => {
                messages += 1;
                bytes += message.len();
                most_queued = most_queued.max(connection.queued_bytes());
            }
            Some(_) | None => break,
        }
    }
    let peak = MEMORY.peak_usage() - before;
    let closed = connection.closed().cloned();
    let sent = closed.and_then(|closed| closed.sent().map(|frame| frame.code));
    Seen { peak, messages, bytes, most_queued, sent }
}

/// 1 GiB of zeros in 1 MiB, in one frame and in many, also when the queue is nearly full.
fn bombs(role: Role, unit: &[u8]) -> Vec<(String, Vec<u8>)> {
    let bomb = message(&unit.repeat(1024));
    assert!(bomb.len() < 12 * MIB / 10);
    let mut bombs = Vec::new();
    for (kind, opcode) in [("text", opcode::TEXT), ("binary", opcode::BINARY)] {
        for size in [bomb.len(), READ_SIZE, 100, 3, 1] {
            // With tiny fragments, a short run beyond the limit is enough.
            let part = if size < 100 { &bomb[..8 * 1024] } else { &bomb[..] };
            let alone = frames(role, opcode, part, size);
            let mut queued = Vec::new();
            for _ in 0..15 {
                let plain = Frame::new(opcode, vec![b'x'; 17_000]);
                let plain = if role == Role::Server { plain.masked([8, 0, 1, 2]) } else { plain };
                queued.extend(plain.encode());
            }
            queued.extend(&alone);
            bombs.push((format!("{kind} in frames of {size}"), alone));
            bombs.push((format!("{kind} in frames of {size} after a nearly full queue"), queued));
        }
    }
    bombs
}

fn config(options: DeflateOptions, max_message_size: usize) -> Arc<Config> {
    Arc::new(Config::builder().deflate(options).max_message_size(max_message_size).build().unwrap())
}

/// A bomb ends with 1009 as soon as it exceeds the limit, and takes no more memory than the limit.
fn bombs_are_defused() {
    let unit = zeros(MIB);
    // Every possible table size.
    let largest = DeflateOptions::builder().level(9).mem_level(9).build().unwrap();
    for options in [DeflateOptions::default(), largest] {
        let config = config(options, MIB);
        let bound = config.memory_bound();
        let mut worst = 0;
        for (role, takeover) in ENDS {
            for (name, input) in bombs(role, &unit) {
                let seen = run(role, &config, params(takeover), &input);
                let name = format!("{role:?}, takeover {takeover}, {name}");
                assert!(seen.peak <= bound, "{name}: {} of {bound}", seen.peak);
                assert_eq!(seen.sent, Some(CloseCode::MESSAGE_TOO_BIG), "{name}");
                worst = worst.max(seen.peak);
            }
        }
        report("bombs of 1 GiB", worst, bound);
    }
}

/// One read of messages of exactly the maximal size: the gate closes after each.
fn floods_close_the_gate() {
    // The worst case for a growing buffer is a limit that doubling does not reach exactly.
    for longest in [MIB, MIB + 4097] {
        let config = config(DeflateOptions::default(), longest);
        let bound = config.memory_bound();
        let unit = message(&zeros(longest));
        let mut worst = 0;
        for ((role, takeover), opcode) in
            ENDS.into_iter().zip([opcode::TEXT, opcode::BINARY, opcode::BINARY, opcode::TEXT])
        {
            let one = frames(role, opcode, &unit, usize::MAX);
            let count = READ_SIZE / one.len();
            assert!(count > 50, "one read is many messages");
            let seen = run(role, &config, params(takeover), &one.repeat(count));
            assert!(seen.peak <= bound, "{role:?} {longest}: {} of {bound}", seen.peak);
            assert_eq!((seen.messages, seen.bytes), (count, count * longest), "none is lost");
            assert_eq!(seen.most_queued, longest, "the gate closes after the first one");
            worst = worst.max(seen.peak);
        }
        report("one read of small frames", worst, bound);
    }
}

/// Compressed output for a peer that does not read takes no more memory than its size.
fn output_is_counted() {
    let marks = Watermarks::new(4 * MIB, MIB);
    let config = Config::builder().send_marks(marks).deflate(DeflateOptions::default());
    let config = Arc::new(config.build().unwrap());
    let bound = config.memory_bound();
    // Incompressible, so that the queued output is as long as the message.
    let mut random = Random::new(2);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let mut connection = Box::new(connection(Role::Server, &config, Some(params(true))));
    while connection.can_send() {
        connection.send(random.bytes(9000)).unwrap();
    }
    connection.output();
    let peak = MEMORY.peak_usage() - before;
    assert!(peak < 5 * MIB, "{peak} for output of 4 MiB; the bound is {bound}");
    report("output", peak, bound);
}

fn report(name: &str, worst: usize, bound: usize) {
    let part = worst as f64 / bound as f64;
    println!("{name}: {worst} bytes at most, {part:.2} of the bound");
    assert!(part > 0.3, "the measurement measures nothing");
}

/// The memory of a compressor and an inflater after much use: their part of the bound.
fn contexts_are_counted() {
    let noise = Random::new(1).bytes(100_000);
    for mem_level in 1..=9 {
        let options = DeflateOptions::builder().mem_level(mem_level).build().unwrap();
        let config = config(options, MIB);
        let without = config.to_builder().deflate(None).build().unwrap().memory_bound();
        let counted = config.memory_bound() - without - MIB;
        let mut sender = Box::new(connection(Role::Server, &config, Some(params(true))));
        let before = MEMORY.current_usage();
        sender.send(noise.clone()).unwrap();
        let wire = drain(&mut sender);
        let compressor = MEMORY.current_usage() - before - wire.capacity();

        let mut receiver = Box::new(connection(Role::Client, &config, Some(params(true))));
        let before = MEMORY.current_usage();
        receiver.handle_input(Timestamp::ZERO, &wire);
        assert_eq!(receiver.poll_event(), Some(Event::Message(noise.clone().into())));
        let inflater = MEMORY.current_usage() - before;
        println!("mem_level {mem_level}: compressor {compressor}, inflater {inflater}");
        let held = compressor + inflater;
        assert!(held <= counted, "mem_level {mem_level}: {held} of {counted}");
        assert!(held > counted * 9 / 10, "mem_level {mem_level}: {held} of {counted}");
    }
}

/// The memory of each of many idle connections: when created, after a message of 1.2 KB each way, and
/// after two more pings that are not answered.
fn idle(name: &str, options: Option<DeflateOptions>, params: Option<DeflateParams>) -> [usize; 3] {
    const COUNT: usize = 20;
    let config = Config::builder().deflate(options).pong_timeout(None);
    let config = Arc::new(config.build().unwrap());
    let text = r#"{"id":1234,"name":"tide","value":true},"#.repeat(30);
    let mut peer = connection(Role::Client, &config, params);
    peer.send(text.as_str()).unwrap();
    let request = drain(&mut peer);
    let exchange = |server: &mut Connection| {
        server.handle_input(Timestamp::ZERO, &request);
        assert!(matches!(server.poll_event(), Some(Event::Message(_))));
        server.send(text.as_str()).unwrap();
        drain(server);
    };
    // Shared memory is allocated before the count.
    exchange(&mut connection(Role::Server, &config, params));

    let before = MEMORY.current_usage();
    let mut connections = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        connections.push(connection(Role::Server, &config, params));
    }
    let built = (MEMORY.current_usage() - before) / COUNT;
    connections.iter_mut().for_each(exchange);
    let used = (MEMORY.current_usage() - before) / COUNT;
    for minute in 1..=2 {
        for connection in &mut connections {
            connection.handle_timeout(Timestamp::from_secs(60 * minute));
            drain(connection);
        }
    }
    let rested = (MEMORY.current_usage() - before) / COUNT;
    println!("idle, {name}: {built}, {used} after a message each way, {rested} two pings later");
    [built, used, rested]
}

fn idle_connections_hold_little() {
    let options = DeflateOptions::default();
    let pooled = options.to_builder().pool(DeflatePool::new(4)).build().unwrap();
    let [plain, plain_used, plain_rested] = idle("plain", None, None);
    let [takeover, takeover_used, takeover_rested] =
        idle("takeover", Some(options.clone()), Some(params(true)));
    let [unpooled, unpooled_used, _] =
        idle("no takeover, no pool", Some(options), Some(params(false)));
    let [pool, pool_used, _] = idle("no takeover, a pool", Some(pooled), Some(params(false)));
    for unused in [takeover, unpooled, pool] {
        assert!(unused <= plain + 300, "what was not used yet: {unused}, plain {plain}");
    }
    for used in [unpooled_used, pool_used] {
        assert!(used <= plain_used + 300, "between messages: {used}, plain {plain_used}");
    }
    assert!(takeover_used < plain_used + 340_000, "tables and windows are kept: {takeover_used}");
    // The window has room for twenty-seven times the message, but only the message is kept.
    assert!(takeover_rested < plain_rested + 3_000, "both messages, no tables: {takeover_rested}");
}

/// A single test, because the allocator counts for the whole process.
#[test]
fn compression_stays_within_the_bound() {
    contexts_are_counted();
    idle_connections_hold_little();
    bombs_are_defused();
    floods_close_the_gate();
    output_is_counted();
}
