//! A server in a separate process, and the system's figures for it.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::{env, fs};

pub struct Process {
    child: Child,
    pub address: SocketAddr,
}

impl Process {
    /// Starts this program again, as one of the servers.
    pub fn start(list: &str, name: &str) -> io::Result<Self> {
        let mut child = on_core(SERVER_CORE)
            .arg(env::current_exe()?)
            .args(["serve", list, name])
            // One thread for every server, as the other servers are built.
            .env("ASYNC_STD_THREAD_COUNT", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().parse().map_err(io::Error::other)?;
        Ok(Self { child, address })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The CPU time of its threads in seconds, as getrusage counts it, but finer.
    pub fn cpu(&self) -> io::Result<f64> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            let first: u64 =
                text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0);
            nanoseconds += first;
        }
        Ok(nanoseconds as f64 / 1e9)
    }

    pub fn resident(&self) -> io::Result<u64> {
        resident(self.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server has one CPU core and the load generator another. Otherwise the scheduler puts them on
/// the same core in some runs and not in others, and an echo costs twice as much in the latter.
pub const SERVER_CORE: &str = "1";

/// Puts this process, the load generator, on its core. Does nothing if there is no taskset or only
/// one core.
pub fn keep_to_core() {
    let process = std::process::id().to_string();
    if can_pin() {
        let _ = Command::new("taskset").args(["-cp", "0", &process]).stdout(Stdio::null()).status();
    }
}

/// A command that runs its arguments on this core.
pub fn on_core(core: &str) -> Command {
    if can_pin() {
        let mut command = Command::new("taskset");
        command.args(["-c", core]);
        command
    } else {
        Command::new("env")
    }
}

fn can_pin() -> bool {
    let cores = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    cores.matches("processor\t").count() > 1
        && Command::new("taskset").arg("-V").stdout(Stdio::null()).status().is_ok()
}

/// The resident memory of a process in bytes.
pub fn resident(process: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.ok_or(io::ErrorKind::InvalidData)? * 1024)
}
