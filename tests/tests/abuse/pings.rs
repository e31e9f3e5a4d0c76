//! Pings without end, from a peer that takes no pong.

use core::time::Duration;
use std::io::Read;
use std::thread;

use socket2::SockRef;
use tidegate_core::{Config, Role};
use tidegate_tests::ends::{Adapter, End, Mode, soon, within};
use tidegate_tests::frames::{Frame, opcode};

use crate::memory::{FLAT, Growth};
use crate::peer::{join, take_in, to, victim, write};

pub(crate) async fn flood_behind_a_blocked_writer<A: Adapter>(mode: Mode) {
    for role in [Role::Server, Role::Client] {
        // 32 MiB of the longest, and many of the shortest.
        flood::<A>(role, mode, &[b'p'; 125], 256_000).await;
        flood::<A>(role, mode, b"", 500_000).await;
    }
}

async fn flood<A: Adapter>(role: Role, mode: Mode, payload: &[u8], count: usize) {
    let (mut end, stream) = victim::<A>(role, mode, Config::default()).await;
    // The sooner it is full.
    SockRef::from(stream.tcp()).set_recv_buffer_size(16 * 1024).unwrap();
    // No send was accepted for a while, and nothing was written.
    let mut level = usize::MAX;
    while level != end.queued_output() {
        level = end.queued_output();
        while let Some(sent) = within::<A, _>(PATIENCE, end.send(vec![0; 50_000])).await {
            sent.unwrap();
        }
    }
    let (before, growth) = (end.stats(), Growth::begin::<A>().await);

    let unit = to(role, Frame::new(opcode::PING, payload));
    let total = count * unit.len();
    let written = join_while_driven(&mut end, write(stream.tcp(), Vec::new(), &unit, total)).await;
    assert!(written >= total, "the flood stopped at {written}");
    let last = to(role, Frame::new(opcode::PING, "the last"));
    let written = written + join::<A, _>(write(stream.tcp(), last, b"", 0)).await;
    take_in(&mut end, before.bytes_in as usize + written).await;
    let stats = end.stats();
    assert!(stats.pings_in - before.pings_in > count as u64);
    assert!(end.queued_output() > 0, "nothing waits: the writer was not blocked");
    let (peak, bound) = (growth.peak(), Config::default().memory_bound());
    assert!(peak <= FLAT && end.queued_output() <= bound, "{peak} bytes for {written} of pings");
    // Those in the ring and those in line to be written, beside what waited.
    assert!(stats.peak_output <= before.peak_output + 2 * PONGS * 131, "{stats:?}");

    // Now it reads. The newest pings are answered, and the last of all.
    let reading = thread::spawn(move || {
        let mut stream = stream;
        let (mut bytes, mut pongs) = (Vec::new(), 0);
        let mut buffer = vec![0; 65_536];
        loop {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the end came before the last pong");
            bytes.extend_from_slice(&buffer[..count]);
            while let Some((frame, taken)) = Frame::parse(&bytes).unwrap() {
                bytes.drain(..taken);
                pongs += usize::from(frame.opcode == opcode::PONG);
                if frame.opcode == opcode::PONG && frame.payload == b"the last" {
                    return pongs;
                }
            }
        }
    });
    let pongs = join_while_driven(&mut end, reading).await;
    // The system may have found room for a few more in the meantime.
    let escaped = (stats.bytes_out - before.bytes_out) as usize / (2 + payload.len());
    assert!((2..=2 * PONGS + escaped).contains(&pongs), "{pongs} pongs, {escaped} before");
    assert!(pongs < count / 100, "{pongs} pongs: the writer was not blocked");
    end.abort();
}

async fn join_while_driven<A: Adapter, T>(end: &mut End<A>, handle: thread::JoinHandle<T>) -> T {
    soon::<A, _>(async {
        while !handle.is_finished() {
            end.be_elsewhere(Duration::from_millis(5)).await;
        }
    })
    .await;
    handle.join().unwrap()
}

/// So many of the newest pings are remembered, and as many pongs may be in line before them.
const PONGS: usize = 32;

/// Longer than the system takes to make room, if it does.
const PATIENCE: Duration = Duration::from_millis(250);
