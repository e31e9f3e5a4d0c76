//! Counts the allocations that hostile input causes: they are linear in the bytes received, and few
//! for each byte. `core/benches/hostile.rs` measures the time of the same input.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc)]

#[path = "../../core/benches/hostile/streams.rs"]
mod streams;

use allocation_counter::{AllocationInfo, measure};

use self::streams::ATTACKS;

/// Enough that the cost of the connection itself is negligible.
const SHORT: usize = 32 * 1024;

/// Quadratic behaviour (reallocating in fixed steps, copying everything again for each piece) would
/// allocate four times as much for twice the input. Time is not asserted. Copying without an
/// allocation is not detected here, but by the benchmark.
#[test]
fn allocations_are_linear_in_the_input() {
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
        // Four times the input. A buffer that doubles may have just done so, hence the factor two in
        // addition; quadratic behaviour would be sixteen times.
        let allowed = |short: u64| 10 * short + 100;
        assert!(long.1.count_total <= allowed(short.1.count_total), "{name}: {:?}", long.1);
        assert!(long.1.bytes_total <= allowed(short.1.bytes_total), "{name}: {:?}", long.1);
        assert!(short.2 <= 1 || long.2 > 3 * short.2, "{name}: all of it was looked at");
    }
}

/// The memory after an attack on a connection that stays open depends on the payload that is kept,
/// not on the number of pieces in which it came.
#[test]
fn memory_does_not_depend_on_the_number_of_pieces() {
    for attack in ATTACKS {
        let input = (attack.input)(SHORT);
        let peak = measure(|| assert!(input.run() < usize::MAX)).bytes_max;
        let name = attack.name;
        println!("{name}: {peak} bytes at most for {} bytes of input", input.len());
        // Events of one read, a message, an inflate window: nothing that grows.
        let allowed = if name.contains("thousandfold") {
            4 << 20
        } else if name.contains("handshake") || name.contains("messages") {
            // Delivered data, or data kept for the application: a field, a message, an extension.
            48 * SHORT
        } else {
            256 * 1024
        };
        assert!(peak <= allowed as u64, "{name}: {peak} bytes for {} bytes of input", input.len());
    }
}
