//! The memory of a connection stays within `Config::memory_bound()`, whatever the peer sends.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc)]

use peak_alloc::PeakAlloc;
use std::sync::Arc;

use tidegate_core::{
    Config, Connection, Message, PongPolicy, READ_SIZE, Role, Timestamp, Watermarks,
};
use tidegate_tests::frames::{Frame, header, opcode};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What the application does while the peer floods it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Taking {
    Nothing,
    OneWhenClosed,
    All,
}

/// What the peer sends.
struct Flood {
    name: &'static str,
    /// Repeated, in reads of the requested size, until `total` bytes were passed in.
    unit: Vec<u8>,
    /// Sent once before.
    prelude: Vec<u8>,
    total: usize,
}

/// Frames from the peer of this role.
fn frame(role: Role, frame: Frame) -> Vec<u8> {
    match role {
        Role::Server => frame.masked([0x11, 0x82, 0x33, 0xA4]).encode(),
        Role::Client => frame.encode(),
    }
}

fn announced(role: Role, opcode: u8, fin: bool, length: usize) -> Vec<u8> {
    header(fin, 0, opcode, (role == Role::Server).then_some([1, 2, 3, 4]), length)
}

fn flood(name: &'static str, unit: Vec<u8>, total: usize) -> Flood {
    Flood { name, unit, prelude: Vec::new(), total }
}

fn floods(role: Role, config: &Config) -> Vec<Flood> {
    let max = config.max_message_size();
    let few_reads = 3 * READ_SIZE;
    let whole = |opcode, payload: Vec<u8>| frame(role, Frame::new(opcode, payload));
    let part = |opcode, payload: Vec<u8>| frame(role, Frame::new(opcode, payload).unfinished());
    let mut floods = Vec::new();
    for op in [opcode::TEXT, opcode::BINARY] {
        floods.push(flood("empty messages", whole(op, vec![]), few_reads));
        floods.push(flood("one-byte messages", whole(op, b"x".to_vec()), few_reads));
        floods.push(flood("small messages", whole(op, vec![b'x'; 100]), few_reads));
        floods.push(flood("maximal messages", whole(op, vec![b'x'; max]), 2 * max + few_reads));
        let mut fragmented = part(op, vec![b'x'; max / 2]);
        fragmented.extend(part(opcode::CONTINUATION, vec![b'x'; max / 4]));
        fragmented.extend(whole(opcode::CONTINUATION, vec![b'x'; max - max / 2 - max / 4]));
        floods.push(flood("maximal messages in three", fragmented, 2 * max + few_reads));
        let many: Vec<u8> = (0..max / 997)
            .flat_map(|_| part(opcode::CONTINUATION, vec![b'x'; 997]))
            .chain(whole(opcode::CONTINUATION, vec![]))
            .collect();
        let unit = [part(op, vec![]), many].concat();
        floods.push(flood("maximal messages in many", unit, 2 * max + few_reads));
        for (name, payload) in [("empty", vec![]), ("one-byte", vec![b'x'])] {
            let unit = part(opcode::CONTINUATION, payload);
            let prelude = part(op, vec![]);
            let total = (max * unit.len()).min(4 * READ_SIZE);
            floods.push(Flood { name, unit, prelude, total });
        }
        for length in [1 << 62, max, max + 1] {
            let unit = vec![b'x'; 100];
            let prelude = announced(role, op, true, length);
            let total = (max / 2).min(few_reads);
            floods.push(Flood { name: "announced", unit: unit.clone(), prelude, total });
            let prelude = [part(op, vec![]), announced(role, 0, false, length)].concat();
            floods.push(Flood { name: "announced fragment", unit, prelude, total });
        }
        let unit = [whole(op, b"x".to_vec()), whole(opcode::PING, vec![b'p'; 125])].concat();
        floods.push(flood("messages and pings", unit, few_reads));
    }
    floods.push(everything(role, config));
    floods.push(flood("empty pings", whole(opcode::PING, vec![]), few_reads));
    floods.push(flood("long pings", whole(opcode::PING, vec![b'p'; 125]), few_reads));
    floods.push(flood("pongs, no pings", whole(opcode::PONG, vec![b'p'; 125]), few_reads));
    floods
}

/// Every part of the bound at its maximum: a queue just below its watermarks, a long message that
/// grows by fragments, and a whole read after it.
fn everything(role: Role, config: &Config) -> Flood {
    let max = config.max_message_size();
    let mut prelude = Vec::new();
    let mut left = config.byte_marks().high() - 1;
    for _ in 1..config.message_marks().high() {
        let length = left.min(max);
        prelude.extend(frame(role, Frame::new(opcode::BINARY, vec![b'x'; length])));
        left -= length;
    }
    prelude.extend(frame(role, Frame::new(opcode::TEXT, vec![]).unfinished()));
    for _ in 0..max / 333 {
        prelude.extend(frame(role, Frame::new(0, vec![b'x'; 333]).unfinished()));
    }
    // The message ends near the start of a read, so that the rest of the read is kept.
    let pong = frame(role, Frame::new(opcode::PONG, vec![]));
    let padding = (READ_SIZE - prelude.len() % READ_SIZE) / pong.len();
    prelude.extend(pong.repeat(padding));
    prelude.extend(frame(role, Frame::new(0, vec![])));
    let unit = frame(role, Frame::new(opcode::PING, vec![b'p'; 125]));
    let total = prelude.len() + 2 * READ_SIZE;
    Flood { name: "everything and pings", unit, prelude, total }
}

/// Runs a flood against a connection whose output is not written. Returns the peak memory.
fn peak(role: Role, config: &Arc<Config>, flood: &Flood, taking: Taking, sends: bool) -> usize {
    let mut input = flood.prelude.clone();
    while input.len() < flood.total {
        input.extend_from_slice(&flood.unit);
    }
    let now = Timestamp::ZERO;
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();

    let mut connection = Box::new(match role {
        Role::Client => Connection::client(now, config.clone(), [1; 32]),
        Role::Server => Connection::server(now, config.clone()),
    });
    let mut rest = &input[..];
    while !rest.is_empty() {
        if sends {
            // Small enough that the message that crosses the watermark does not matter.
            while connection.can_send() {
                connection.send(Message::binary(&b"to a peer that does not read"[..])).unwrap();
            }
        }
        if connection.wants_input() {
            let (read, later) = rest.split_at(rest.len().min(connection.read_size()));
            connection.handle_input(now, read);
            rest = later;
        } else if connection.is_closing() {
            break;
        }
        // The output that was offered to a transport that takes nothing.
        connection.output();
        match taking {
            Taking::Nothing if !connection.wants_input() => break,
            Taking::Nothing => {}
            Taking::OneWhenClosed if !connection.wants_input() => drop(connection.poll_event()),
            Taking::OneWhenClosed => {}
            Taking::All => while connection.poll_event().is_some() {},
        }
    }
    let peak = MEMORY.peak_usage() - before;
    drop(connection);
    peak
}

fn configs() -> Vec<Config> {
    let marks = |high, low| Watermarks::new(high, low);
    let small = Config::builder()
        .message_marks(marks(4, 1))
        .byte_marks(marks(4096, 1024))
        .send_marks(marks(4096, 1024))
        .max_message_size(20_000)
        .build()
        .unwrap();
    let many = Config::builder()
        .message_marks(marks(1000, 999))
        .byte_marks(marks(100_000, 1))
        .max_message_size(1000)
        .build()
        .unwrap();
    vec![small, many]
}

/// Runs every flood against one configuration and role, with these applications. Returns what broke
/// the bound, and the greatest part of it that was used.
fn run(
    config: &Arc<Config>,
    role: Role,
    floods: &[Flood],
    takings: &[Taking],
) -> (Vec<String>, f64) {
    let mut broken = Vec::new();
    let mut worst: f64 = 0.0;
    for flood in floods {
        for &taking in takings {
            let peak = peak(role, config, flood, taking, taking == Taking::Nothing);
            let bound = config.memory_bound();
            worst = worst.max(peak as f64 / bound as f64);
            if peak > bound {
                let name = flood.name;
                broken.push(format!("{name}, {role:?} {taking:?} {config:?}: {peak} of {bound}"));
            }
        }
    }
    (broken, worst)
}

/// A single test, because the allocator counts for the whole process.
#[test]
fn no_flood_breaks_the_bound() {
    let all = [Taking::Nothing, Taking::OneWhenClosed, Taking::All];
    for role in [Role::Client, Role::Server] {
        let mut runs = vec![(Config::default(), &all[..2], false)];
        for config in configs() {
            runs.push((config.clone(), &all[..], false));
            for policy in [PongPolicy::OnReceipt, PongPolicy::InOrder, PongPolicy::Manual] {
                let config = config.to_builder().pong_policy(policy).surface_control(true);
                runs.push((config.build().unwrap(), &all[..], true));
            }
            let config = config.to_builder().pong_policy(PongPolicy::InOrder);
            runs.push((config.build().unwrap(), &all[..], true));
        }
        for (config, takings, only_control) in runs {
            let mut floods = floods(role, &config);
            floods.retain(|flood| !only_control || flood.name.contains("pings"));
            let (broken, worst) = run(&Arc::new(config), role, &floods, takings);
            println!("{role:?}: at most {worst:.2} of the bound");
            let few = &broken[..broken.len().min(10)];
            assert!(broken.is_empty(), "{} over the bound: {few:#?}", broken.len());
            assert!(worst > 0.3, "the measurement measures nothing: {worst}");
        }
    }
}
