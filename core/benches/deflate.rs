//! Compression: what it costs and what it saves, by level, window and takeover.
//!
//! `cargo bench -p tidegate-core --features deflate --bench deflate`
//!
//! Prints the table of `docs/compression.md`. The ratio is exact; the throughput is of payload,
//! through a whole connection.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::wildcard_enum_match_arm)]
#![allow(clippy::disallowed_methods, reason = "a benchmark has a clock")]

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use bytes::Buf;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tidegate_core::deflate::{DeflateOptions, DeflateParams, DeflatePool};
use tidegate_core::{Config, Connection, Event, Message, Timestamp, Watermarks};

const LEVELS: [u8; 4] = [1, 3, 6, 9];
const WINDOWS: [u8; 2] = [10, 15];

/// A level, a window, and takeover or not.
#[derive(Clone, Copy)]
struct Case {
    level: u8,
    window_bits: u8,
    takeover: bool,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        [true, false].into_iter().flat_map(|takeover| {
            WINDOWS.into_iter().flat_map(move |window_bits| {
                LEVELS.into_iter().map(move |level| Self { level, window_bits, takeover })
            })
        })
    }

    fn name(self) -> String {
        let takeover = if self.takeover { "takeover" } else { "no-takeover" };
        format!("{takeover}-window{}-level{}", self.window_bits, self.level)
    }

    fn server(self) -> Connection {
        self.open(Connection::server)
    }

    fn client(self) -> Connection {
        self.open(|now, config| Connection::client(now, config, [7; 32]))
    }

    fn open(self, open: impl FnOnce(Timestamp, Config) -> Connection) -> Connection {
        let options = DeflateOptions::builder().level(self.level).pool(DeflatePool::new(1));
        let config = Config::builder()
            .message_marks(Watermarks::UNLIMITED)
            .byte_marks(Watermarks::UNLIMITED)
            .send_marks(Watermarks::UNLIMITED)
            .ping_interval(None)
            .deflate(options.build().expect("valid"))
            .build()
            .expect("valid");
        open(Timestamp::ZERO, config).with_deflate(DeflateParams {
            server_no_context_takeover: !self.takeover,
            client_no_context_takeover: !self.takeover,
            server_max_window_bits: self.window_bits,
            client_max_window_bits: self.window_bits,
        })
    }
}

/// A hundred messages of about 1 KiB, of the same kind: what a server of prices or positions sends.
fn json() -> Vec<Message> {
    let mut numbers = 0x1234_5678_u32;
    let mut next = || {
        // A linear congruential generator: digits that nobody can foresee.
        numbers = numbers.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        numbers >> 8
    };
    let message = |index: usize| {
        let mut text = format!(r#"{{"type":"update","sequence":{index},"entries":["#);
        while text.len() < 960 {
            let name = ["north", "east", "south", "west"][next() as usize % 4];
            text += &format!(
                r#"{{"id":{},"station":"{name}","level":{}.{:03},"valid":true}},"#,
                next() % 100_000,
                next() % 10,
                next() % 1000,
            );
        }
        text.pop();
        text + "]}"
    };
    (0..100).map(message).map(Message::from).collect()
}

/// One message of 64 KiB of words, by how often English uses them.
fn text() -> Vec<Message> {
    const WORDS: &str = "the of and to in a is that it was for on are as with his they at be this \
        from have or by one had not but what all were when we there can an your which their said \
        if do will each about how up out them then she many some so these would other into has \
        more her two like him see time could no make than first been its who now people my made \
        over did down only way find use may water long little very after words called just where \
        most know tide harbour moon current anchor sailor shallow channel estuary lighthouse";
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let mut numbers = 99_u32;
    let mut text = String::new();
    while text.len() < 64 * 1024 {
        numbers = numbers.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let place = (numbers >> 16) as usize % (words.len() * words.len());
        // The early ones more often.
        text += words[place.isqrt().abs_diff(words.len() - 1)];
        text.push(' ');
    }
    text.truncate(64 * 1024);
    vec![Message::from(text)]
}

fn drain(connection: &mut Connection, mut each: impl FnMut(&[u8])) {
    let output = connection.output();
    while output.has_remaining() {
        let taken = output.chunk().len();
        each(output.chunk());
        output.advance(taken);
    }
}

/// Sends all of them; the bytes on the wire.
fn send(connection: &mut Connection, messages: &[Message]) -> Vec<u8> {
    let mut wire = Vec::new();
    for message in messages {
        connection.send(message.clone()).unwrap();
        drain(connection, |bytes| wire.extend_from_slice(bytes));
    }
    wire
}

fn receive(connection: &mut Connection, wire: &[u8]) -> usize {
    let mut length = 0;
    for read in wire.chunks(64 * 1024) {
        connection.handle_input(Timestamp::ZERO, read);
        while let Some(event) = connection.poll_event() {
            match black_box(event) {
                Event::Message(message) => length += message.len(),
                other => panic!("{other:?}"),
            }
        }
    }
    length
}

/// Payload per second, in units of 10^6 bytes, in the best of the rounds that a fifth of a second has
/// time for: other work on the machine only ever makes a round longer. `round` tells how long it
/// took.
fn megabytes_per_second(length: usize, mut round: impl FnMut() -> Duration) -> f64 {
    let begin = Instant::now();
    let mut best = round();
    while begin.elapsed() < Duration::from_millis(200) {
        best = best.min(round());
    }
    length as f64 / 1e6 / best.as_secs_f64()
}

/// The table, in the form in which the documentation has it.
fn table(_: &mut Criterion) {
    println!(
        "| messages | takeover | window | level | size on the wire | compress MB/s | inflate MB/s |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (kind, messages) in [("100 × 1 KiB JSON", json()), ("64 KiB text", text())] {
        let length: usize = messages.iter().map(Message::len).sum();
        for case in Case::all() {
            let mut server = case.server();
            let first = send(&mut server, &messages);
            let percent = 100.0 * first.len() as f64 / length as f64;
            let compress = megabytes_per_second(length, || {
                let begin = Instant::now();
                black_box(send(&mut server, &messages));
                begin.elapsed()
            });
            // With takeover a message can't be read twice: it is sent anew, outside the clock.
            let (mut server, mut client) = (case.server(), case.client());
            let inflate = megabytes_per_second(length, || {
                let wire = send(&mut server, &messages);
                let begin = Instant::now();
                assert_eq!(receive(&mut client, &wire), length);
                begin.elapsed()
            });
            let Case { level, window_bits, takeover } = case;
            let takeover = if takeover { "yes" } else { "no" };
            println!(
                "| {kind} | {takeover} | {window_bits} | {level} | {percent:.1} % | {compress:.0} | {inflate:.0} |"
            );
        }
    }
}

/// What criterion watches from version to version: the default level.
fn default_level(criterion: &mut Criterion) {
    for (kind, messages) in [("json-1KiB", json()), ("text-64KiB", text())] {
        let length: usize = messages.iter().map(Message::len).sum();
        let mut group = criterion.benchmark_group(format!("deflate-{kind}"));
        group.throughput(Throughput::Bytes(length as u64));
        for case in Case::all().filter(|case| case.level == 3 && case.window_bits == 15) {
            let mut server = case.server();
            group.bench_function(BenchmarkId::new("send", case.name()), |bencher| {
                bencher.iter(|| {
                    for message in &messages {
                        server.send(black_box(message.clone())).unwrap();
                        drain(&mut server, |bytes| {
                            black_box(bytes);
                        });
                    }
                });
            });
            let (mut server, mut client) = (case.server(), case.client());
            group.bench_function(BenchmarkId::new("receive", case.name()), |bencher| {
                bencher.iter_batched(
                    || send(&mut server, &messages),
                    |wire| receive(&mut client, &wire),
                    criterion::BatchSize::PerIteration,
                );
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = table, default_level
}
criterion_main!(benches);
