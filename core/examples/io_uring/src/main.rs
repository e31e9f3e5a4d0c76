//! An echo server on io_uring with its own event loop: no runtime, no readiness API, one thread.
//!
//! `cargo run --release --manifest-path core/examples/io_uring/Cargo.toml [address]`
//!
//! Without an address it serves one client, which runs in a thread, and ends. If the kernel does not
//! allow io_uring, it prints that and exits successfully.
//!
//! With completions, the kernel normally holds a buffer for each pending read. Here the kernel takes
//! one of a few shared buffers when data arrives (`IOSQE_BUFFER_SELECT`), so an idle connection holds
//! none. While the gate is closed, no read is submitted.
#![deny(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "the core has no clock, so its caller reads one")]

#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
mod connections;
#[cfg(target_os = "linux")]
mod ring;

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    use std::net::TcpListener;
    use std::thread;

    let ring = match ring::Ring::new() {
        Ok(ring) => ring,
        Err(error) => {
            println!("skipped: the kernel does not allow io_uring: {error}");
            return Ok(());
        }
    };
    match std::env::args().nth(1) {
        Some(address) => {
            let listener = TcpListener::bind(address)?;
            println!("ws://{}/", listener.local_addr()?);
            connections::serve(ring, &listener, || false)
        }
        None => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            let client = thread::spawn(move || client::talk(address));
            connections::serve(ring, &listener, || client.is_finished())?;
            let echoed = client.join().expect("the client does not panic")?;
            println!("{echoed} messages echoed, and a clean close");
            Ok(())
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: io_uring exists only on Linux");
}
