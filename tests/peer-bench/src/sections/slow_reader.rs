//! A peer sends as fast as it can, and an application takes a message every 100 ms. Measures how the
//! memory grows, and whether pings are answered meanwhile.

mod readers;

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use self::readers::READERS;
pub use self::readers::read_slowly;
use crate::frames::unmasked;
use crate::load::{SERVER_CORE, on_core, resident};
use crate::options::Options;
use crate::table::{Cell, Table};

pub fn slow_reader(options: &Options) -> io::Result<Vec<Table>> {
    let mut table = Table::new(
        "slow-reader",
        "A reader of one message in 100 ms, messages of 64 KiB",
        "growth of the process in KiB, seconds it took (2 GiB, or the time given), pings answered in per cent",
        "tidegate, recv",
    );
    let limit = Duration::from_secs(if options.is_full { 6 } else { 4 });
    let mut measured = Vec::new();
    for reader in READERS.iter().filter(|reader| options.wants_row(reader.name)) {
        measured.push((reader, flood(reader.name, limit)?));
    }
    for (index, column) in ["growth", "seconds", "pings answered"].into_iter().enumerate() {
        table.column(column);
        for (reader, values) in &measured {
            table.set(reader.name, reader.group, Cell::exact(values[index]));
        }
    }
    Ok(vec![table])
}

/// Floods one reader, which is a separate process.
fn flood(name: &str, limit: Duration) -> io::Result<[f64; 3]> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let mut child = on_core(SERVER_CORE)
        .arg(env::current_exe()?)
        .args(["read-slowly", name, &address.to_string()])
        .stdout(Stdio::null())
        .spawn()?;
    let (stream, _) = listener.accept()?;
    // Small socket buffers, because pings arrive in order: otherwise they would come after megabytes
    // of buffered messages, which take seconds to read.
    socket2::SockRef::from(&stream).set_send_buffer_size(SOCKET_BUFFER)?;
    thread::sleep(Duration::from_millis(100));
    let before = resident(child.id())?;
    let (pings, pongs, stopped) = (Arc::default(), Arc::default(), Arc::default());
    let sender = send(stream.try_clone()?, Arc::clone(&pings), Arc::clone(&stopped));
    let answers = count_pongs(stream.try_clone()?, Arc::clone(&pongs));
    let begun = Instant::now();
    let mut peak = before;
    while begun.elapsed() < limit && peak < before + MOST {
        thread::sleep(Duration::from_millis(10));
        peak = peak.max(resident(child.id()).unwrap_or(peak));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let (sent, answered): (u64, u64) =
        (pings.load(Ordering::Relaxed), pongs.load(Ordering::Relaxed));
    stopped.store(true, Ordering::Relaxed);
    child.kill()?;
    child.wait()?;
    stream.shutdown(std::net::Shutdown::Both).ok();
    let _ = (sender.join(), answers.join());
    Ok([(peak - before) as f64 / 1024.0, seconds, answered as f64 / sent.max(1) as f64 * 100.0])
}

/// Messages without a pause, and a ping between them every 100 ms.
fn send(
    mut stream: TcpStream,
    pings: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
) -> thread::JoinHandle<()> {
    let message = unmasked(0x82, &vec![7; 64 << 10]);
    thread::spawn(move || {
        let mut pinged = Instant::now();
        while !stopped.load(Ordering::Relaxed) {
            if pinged.elapsed() >= Duration::from_millis(100) {
                pinged = Instant::now();
                if stream.write_all(b"\x89\x00").is_err() {
                    return;
                }
                pings.fetch_add(1, Ordering::Relaxed);
            }
            if stream.write_all(&message).is_err() {
                return;
            }
        }
    })
}

/// A client's answer to an empty ping: two bytes and a mask.
fn count_pongs(mut stream: TcpStream, pongs: Arc<AtomicU64>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut frame = [0; 6];
        while stream.read_exact(&mut frame).is_ok() {
            if frame[0] == 0x8A {
                pongs.fetch_add(1, Ordering::Relaxed);
            }
        }
    })
}

/// The kernel doubles this value.
pub const SOCKET_BUFFER: usize = 64 << 10;

const MOST: u64 = 2 << 30;
