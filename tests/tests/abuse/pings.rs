//! Endless pings, from a peer that reads no pong.

use core::time::Duration;
use std::io::Read;
use std::thread;

use tidegate_core::{Config, Role};
use tidegate_tests::ends::{Adapter, Buffer, End, Mode, soon, within};
use tidegate_tests::frames::{Frame, opcode};

use crate::memory::{FLAT, Growth};
use crate::peer::{join, take_in, to, victim_of, write};

pub(crate) async fn flood_with_blocked_writes<A: Adapter>(mode: Mode) {
    for role in [Role::Server, Role::Client] {
        // 32 MiB of the longest pings, and many of the shortest.
        flood::<A>(role, mode, &[b'p'; 125], 256_000).await;
        flood::<A>(role, mode, b"", 500_000).await;
    }
}

async fn flood<A: Adapter>(role: Role, mode: Mode, payload: &[u8], count: usize) {
    let (mut end, stream) = victim_of::<A>(role, mode, Config::default(), Buffer::Small).await;
    // Nothing was written for a while, and no send was accepted.
    let mut written = u64::MAX;
    while written != end.stats().bytes_out {
        written = end.stats().bytes_out;
        fill(&mut end, PATIENCE).await;
    }
    let (before, growth) = (end.stats(), Growth::begin::<A>().await);

    let unit = to(role, Frame::new(opcode::PING, payload));
    let total = count * unit.len();
    let written = join_while_filled(&mut end, write(stream.tcp(), Vec::new(), &unit, total)).await;
    assert!(written >= total, "the flood stopped at {written}");
    let last = to(role, Frame::new(opcode::PING, "the last"));
    let written = written + join::<A, _>(write(stream.tcp(), last, b"", 0)).await;
    take_in(&mut end, before.bytes_in as usize + written).await;
    fill(&mut end, Duration::from_millis(20)).await;
    let stats = end.stats();
    assert!(stats.pings_in - before.pings_in > count as u64);
    assert!(end.queued_output() > 0, "nothing waits: the writer was not blocked");
    // Memory for the queued messages, the pongs in the ring, and the pongs already committed to the
    // output.
    let most = Config::default().send_marks().high() + MESSAGE + 4;
    let peak = growth.peak();
    assert!(peak <= FLAT + most, "{peak} bytes for {written} of pings");
    assert!(stats.peak_output <= most + 2 * PONGS * 131, "{stats:?}");

    // Now the peer reads. The newest pings are answered, including the very last one.
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
    // Meanwhile the system may have accepted a few more bytes.
    let escaped = (stats.bytes_out - before.bytes_out) as usize / (2 + payload.len());
    assert!((2..=2 * PONGS + escaped).contains(&pongs), "{pongs} pongs, {escaped} before");
    assert!(pongs < count / 100, "{pongs} pongs: the writer was not blocked");
    end.abort();
}

/// Sends until no message has been accepted for this long.
async fn fill<A: Adapter>(end: &mut End<A>, patience: Duration) {
    while let Some(sent) = within::<A, _>(patience, end.send(vec![0; MESSAGE])).await {
        sent.unwrap();
    }
}

/// Fills the room that the system makes from time to time, so that not only pongs get it.
async fn join_while_filled<A: Adapter, T>(end: &mut End<A>, handle: thread::JoinHandle<T>) -> T {
    soon::<A, _>(async {
        while !handle.is_finished() {
            fill(end, Duration::from_millis(5)).await;
        }
    })
    .await;
    handle.join().unwrap()
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

/// The pongs for this many of the newest pings are kept, and as many may be committed before them.
const PONGS: usize = 32;

const MESSAGE: usize = 50_000;

/// Longer than the system needs to make room, if it does.
const PATIENCE: Duration = Duration::from_millis(250);
