//! What hostile input makes the allocator do, counted: it is linear in the bytes that come, and a
//! byte costs little. The same input against the clock: `core/benches/hostile.rs`.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc)]

#[path = "../../core/benches/hostile/streams.rs"]
mod streams;

use allocation_counter::{AllocationInfo, measure};

use self::streams::ATTACKS;

/// Enough that what a connection costs by itself does not show.
const SHORT: usize = 32 * 1024;

/// Reallocating in steps, measuring what is there again for each piece that comes, keeping an
/// object for each: whatever is quadratic allocates four times as much for twice the input. Time is
/// not asserted, and what is copied without an allocation is not seen here; the benchmark sees it.
#[test]
fn what_is_allocated_is_linear_in_what_comes() {
    for attack in ATTACKS {
        let [short, long] = [SHORT, 4 * SHORT].map(|length| {
            let input = (attack.input)(length);
            let mut count = 0;
            let info: AllocationInfo = measure(|| count = input.run());
            (input.len() as u64, info, count)
        });
        let name = attack.name;
        for (bytes, info, _) in [&short, &long] {
            println!(
                "{name}, {bytes}: {} allocations, {} bytes",
                info.count_total, info.bytes_total
            );
        }
        // Four times the input. A buffer that doubles may have just done so: hence twice as much;
        // sixteen times is what quadratic would be.
        let allowed = |short: u64| 10 * short + 100;
        assert!(long.1.count_total <= allowed(short.1.count_total), "{name}: {:?}", long.1);
        assert!(long.1.bytes_total <= allowed(short.1.bytes_total), "{name}: {:?}", long.1);
        assert!(short.2 <= 1 || long.2 > 3 * short.2, "{name}: all of it was looked at");
    }
}

/// What is left when the attack is over and nobody has closed: memory follows the payload that is
/// kept, not the number of pieces that it came in.
#[test]
fn pieces_cost_no_memory_of_their_own() {
    for attack in ATTACKS {
        let input = (attack.input)(SHORT);
        let peak = measure(|| assert!(input.run() < usize::MAX)).bytes_max;
        let name = attack.name;
        println!("{name}: {peak} bytes at most for {} bytes of input", input.len());
        // A read buffer's worth of events, a message, a window of inflation: nothing that grows.
        let allowed = if name.contains("thousandfold") {
            4 << 20
        } else if name.contains("handshake") || name.contains("messages") {
            // What is delivered, or kept for the application: a field, a message, an extension.
            48 * SHORT
        } else {
            256 * 1024
        };
        assert!(peak <= allowed as u64, "{name}: {peak} bytes for {} bytes of input", input.len());
    }
}
