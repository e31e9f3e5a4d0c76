//! Measures the memory of an idle connection in a server process, everything included.
//!
//! `cargo run --release -p tidegate-tests --bin idle -- [tokio|smol] [connections]`
//!
//! A child process serves. This process opens the connections on plain sockets, and reads by how
//! much the child's resident memory has grown: after the opening handshakes, and after each
//! connection has echoed a message of 1 KiB. 10,000 connections need as many file descriptors in
//! each process.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", "tokio"] => serve_tokio(),
        ["serve", "smol"] => serve_smol(),
        [] => measure("tokio", 1000),
        [runtime @ ("tokio" | "smol")] => measure(runtime, 1000),
        [runtime @ ("tokio" | "smol"), connections] => measure(runtime, connections.parse()?),
        _ => Err("arguments: [tokio|smol] [connections]".into()),
    }
}

fn serve_tokio() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                let mut socket = tidegate_tokio::accept(stream).await?.accept().await?;
                while let Some(message) = socket.recv().await? {
                    socket.send(message).await?;
                }
                Ok::<_, tidegate_tokio::Error>(())
            });
        }
    })
}

fn serve_smol() -> Result<(), Box<dyn Error>> {
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(async {
        let listener = smol::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            let serve = async move {
                let mut socket = tidegate_smol::accept(stream).await?.accept().await?;
                while let Some(message) = socket.recv().await? {
                    socket.send(message).await?;
                }
                Ok::<_, tidegate_smol::Error>(())
            };
            executor.spawn(serve).detach();
        }
    }))
}

fn measure(runtime: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["serve", runtime])
        .stdout(Stdio::piped())
        .spawn()?;
    let result = measure_child(&mut child, runtime, count);
    child.kill()?;
    child.wait()?;
    result
}

fn measure_child(child: &mut Child, runtime: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let output = child.stdout.take().ok_or("the server has no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let address: SocketAddr = line.trim().parse()?;

    // The runtime allocates its own memory before the count begins.
    let mut sockets = Vec::new();
    for _ in 0..count.div_ceil(20) {
        sockets.push(connect(address)?);
    }
    for socket in &mut sockets {
        echo(socket)?;
    }
    let before = resident(child.id())?;
    let warm = sockets.len();
    for _ in 0..count {
        sockets.push(connect(address)?);
    }
    std::thread::sleep(Duration::from_millis(300));
    let open = resident(child.id())?;
    for socket in sockets.iter_mut().skip(warm) {
        echo(socket)?;
    }
    std::thread::sleep(Duration::from_millis(300));
    let used = resident(child.id())?;
    let each = |after: usize| after.saturating_sub(before) / count;
    println!("{runtime}, {count} connections, resident bytes for each:");
    println!("  after the opening handshake  {:6}", each(open));
    println!("  after an echo of 1 KiB       {:6}", each(used));
    Ok(())
}

fn connect(address: SocketAddr) -> Result<TcpStream, Box<dyn Error>> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.write_all(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    if head.starts_with(b"HTTP/1.1 101") { Ok(socket) } else { Err("no upgrade".into()) }
}

/// Sends a masked message of 1 KiB, and expects the same one back unmasked.
fn echo(socket: &mut TcpStream) -> Result<(), Box<dyn Error>> {
    let mut frame = vec![0x82, 0xFE, 0x04, 0x00, 0, 0, 0, 0];
    frame.extend_from_slice(&[7; 1024]);
    socket.write_all(&frame)?;
    let mut answer = [0; 4 + 1024];
    socket.read_exact(&mut answer)?;
    if answer[..5] == [0x82, 0x7E, 0x04, 0x00, 7] { Ok(()) } else { Err("no echo".into()) }
}

/// The resident memory of a process in bytes.
fn resident(process: u32) -> Result<usize, Box<dyn Error>> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: usize =
        line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?.parse()?;
    Ok(kib * 1024)
}
