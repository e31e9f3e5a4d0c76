//! Python servers, if their packages are installed. The interpreter inherits the listening socket.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

pub const WEBSOCKETS: &str = "websockets";
pub const PICOWS: &str = "picows";

/// The interpreter: `PEER_BENCH_PYTHON`, or the first one found.
fn python() -> Command {
    Command::new(std::env::var_os("PEER_BENCH_PYTHON").unwrap_or_else(|| "python3".into()))
}

/// Whether the interpreter has this package.
pub fn has(package: &str) -> bool {
    let import = python()
        .args(["-c", &format!("import {package}")])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    import.is_ok_and(|status| status.success())
}

pub fn websockets(listener: TcpListener) {
    run(listener, include_str!("../../python/websockets_echo.py"));
}

pub fn picows(listener: TcpListener) {
    run(listener, include_str!("../../python/picows_echo.py"));
}

fn run(listener: TcpListener, program: &str) {
    let error = python().args(["-c", program]).stdin(OwnedFd::from(listener)).exec();
    panic!("no Python: {error}");
}
