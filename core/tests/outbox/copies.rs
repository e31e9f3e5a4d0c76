//! Which payloads are copied into the output, and which are shared.

use bytes::Buf;
use bytes::Bytes;
use tidegate_core::{Message, Prepared, Role};

use crate::support::{base, connection, pattern, take};

/// A server's large payload is the caller's own memory, and small frames share one buffer.
#[test]
fn large_payloads_are_shared_and_small_frames_are_packed_together() {
    let mut server = connection(Role::Server, base());
    let payload = Bytes::from(pattern(8 * 1024));
    server.send(Message::Binary(payload.clone())).unwrap();
    let output = server.output();
    output.advance(4);
    assert_eq!(output.chunk().as_ptr(), payload.as_ptr(), "the payload is not copied");
    take(&mut server, usize::MAX);

    // One byte less, and copying the payload after its header is cheaper.
    server.send(Message::binary(pattern(8 * 1024 - 1))).unwrap();
    assert_eq!(server.output().chunk().len(), 4 + 8 * 1024 - 1);
    take(&mut server, usize::MAX);

    for _ in 0..100 {
        server.send("small").unwrap();
    }
    assert_eq!(server.output().chunk().len(), 700, "one buffer, one write");
    take(&mut server, usize::MAX);
    for _ in 0..10_000 {
        server.send("small").unwrap();
    }
    let mut slices = [std::io::IoSlice::new(&[]); 64];
    let output = server.output();
    let count = output.chunks_vectored(&mut slices);
    assert!((2..=6).contains(&count), "one call commits a few buffers: {count}");
    let shown: usize = slices.iter().map(|slice| slice.len()).sum();
    assert_eq!(shown, output.remaining());

    // A prepared message is shared if it is so long that sharing costs less than copying.
    for (size, shared) in [(500, false), (508, true), (4_000, true)] {
        let prepared = Prepared::new(Message::binary(pattern(size)));
        let mut ends = [(); 2].map(|()| connection(Role::Server, base()));
        let places = ends.each_mut().map(|end| {
            end.send(&prepared).unwrap();
            end.output().chunk().as_ptr()
        });
        assert_eq!(places[0] == places[1], shared, "{size}");
    }
}
