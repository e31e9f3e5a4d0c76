//! An echo server on io_uring with a loop of its own: no runtime, no readiness, one thread.
//!
//! `cargo run --release --manifest-path core/examples/io_uring/Cargo.toml [address]`
//!
//! Without an address it talks to a client in a thread, and ends. Where the kernel refuses io_uring
//! it says so and ends well.
//!
//! What is special about completions: a read is a buffer that the kernel holds until something comes.
//! Here it takes one of a few shared ones when it has something (`IOSQE_BUFFER_SELECT`), so an idle
//! connection holds none; and while the gate is closed there is no read for the kernel to complete.
#![deny(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "the core has no clock; its caller has")]

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
            println!("skipped: the kernel refuses io_uring here: {error}");
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
    println!("skipped: io_uring is Linux's");
}
