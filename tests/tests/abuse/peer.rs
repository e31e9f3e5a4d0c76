//! The attacker: a stream, and threads that write to it and read from it.

use core::time::Duration;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread::{self, JoinHandle};

use tidegate_core::{Closed, Config, Role};
use tidegate_tests::ends::{
    Adapter, Buffer, End, Error, Mode, Raw, raw_client_offering, raw_server, soon,
};
use tidegate_tests::frames::{Frame, opcode};

/// A victim in this role, and its attacker. Compression is negotiated if the settings have it.
pub(crate) async fn victim<A: Adapter>(role: Role, mode: Mode, config: Config) -> (End<A>, Raw) {
    victim_of(role, mode, config, Buffer::Automatic).await
}

/// The same, with a choice of the attacker's receive buffer.
pub(crate) async fn victim_of<A: Adapter>(
    role: Role,
    mode: Mode,
    config: Config,
    buffer: Buffer,
) -> (End<A>, Raw) {
    let offer = match config.deflate() {
        Some(_) => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        None => "",
    };
    match role {
        Role::Server => raw_client_offering::<A>(mode, config, offer, buffer).await,
        Role::Client => raw_server::<A>(mode, config, buffer).await,
    }
}

/// The bytes of a frame for a victim in this role.
pub(crate) fn to(role: Role, frame: Frame) -> Vec<u8> {
    match role {
        Role::Server => frame.masked([0x37, 0xFA, 0x21, 0x3D]).encode(),
        Role::Client => frame.encode(),
    }
}

/// Writes this, and then repeats `unit` until `total` bytes are written or nothing more is accepted.
/// Returns the number of bytes.
pub(crate) fn write(
    stream: &TcpStream,
    prelude: Vec<u8>,
    unit: &[u8],
    total: usize,
) -> JoinHandle<usize> {
    let mut stream = stream.try_clone().unwrap();
    // In pieces of whole units, each longer than a read.
    let piece = unit.repeat((100_000 / unit.len().max(1)).max(1));
    thread::spawn(move || {
        if stream.write_all(&prelude).is_err() {
            return 0;
        }
        let mut written = prelude.len();
        while written < total && stream.write_all(&piece).is_ok() {
            written += piece.len();
        }
        written
    })
}

/// Reads until the stream ends or is reset.
pub(crate) fn read(stream: &TcpStream) -> JoinHandle<Vec<u8>> {
    let mut stream = stream.try_clone().unwrap();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..count]);
        }
        bytes
    })
}

/// Writes as [`write`] does, then ends its direction.
pub(crate) fn write_and_end(
    stream: &TcpStream,
    prelude: Vec<u8>,
    unit: &[u8],
    total: usize,
) -> JoinHandle<usize> {
    let writing = write(stream, prelude, unit, total);
    let stream = stream.try_clone().unwrap();
    thread::spawn(move || {
        let written = writing.join().unwrap();
        // The stream may already be closed.
        let _ = stream.shutdown(Shutdown::Write);
        written
    })
}

/// Waits for a thread while other tasks run.
pub(crate) async fn join<A: Adapter, T>(handle: JoinHandle<T>) -> T {
    soon::<A, _>(async {
        while !handle.is_finished() {
            A::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    handle.join().unwrap()
}

/// Reads ahead without taking a message until this many bytes have arrived.
pub(crate) async fn take_in<A: Adapter>(end: &mut End<A>, bytes: usize) {
    soon::<A, _>(async {
        while end.stats().bytes_in < bytes as u64 {
            end.be_elsewhere(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Receives until the end, which must be a violation by the peer.
pub(crate) async fn fails<A: Adapter>(end: &mut End<A>) -> Closed {
    match soon::<A, _>(end.recv()).await {
        Err(Error::Closed(closed)) => {
            // Waits until the attacker has read the Close: if the stream was dropped before, a reset could
            // discard it.
            soon::<A, _>(end.linger()).await;
            closed
        }
        other => panic!("{other:?} instead of a fault"),
    }
}

/// The code of the one Close at the end of the victim's output, all of which must be whole frames.
pub(crate) fn close_code(role: Role, bytes: &[u8]) -> u16 {
    let frames = Frame::parse_all(bytes).unwrap();
    assert!(frames.iter().all(|frame| frame.key.is_some() == role.masks()), "{frames:?}");
    let closes = frames.iter().filter(|frame| frame.opcode == opcode::CLOSE).count();
    let last = frames.last().expect("a Close");
    assert_eq!((closes, last.opcode), (1, opcode::CLOSE), "{frames:?}");
    u16::from_be_bytes(*last.payload.first_chunk().expect("a code"))
}
