//! Addresses of servers and proxies, and where redirections lead: what is parsed can be shown and
//! asked for, and nothing in it becomes a header of its own.
#![no_main]

use core::net::SocketAddr;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidegate_core::Timestamp;
use tidegate_driver::{
    BoxFuture, ByteStream, Client, Clock, Network, Options, Proxy, SocketOptions, Url,
};

#[derive(Arbitrary, Debug)]
struct Case<'b> {
    flags: u8,
    /// An address, or where the first answer leads.
    bytes: &'b [u8],
}

fuzz_target!(|case: Case<'_>| {
    let text = String::from_utf8_lossy(case.bytes);
    if let Ok(url) = text.parse::<Url>() {
        check(&url);
    }
    if let Ok(proxy) = text.parse::<Proxy>() {
        assert!(proxy.port() != 0 && is_plain(proxy.host()));
    }
    let (first, second) = text.split_once(' ').unwrap_or((&text, ""));
    if let Ok(url) = "wss://chat.example.org:8443/".parse() {
        let proxy = Proxy::from_environment(&url, |name| match name {
            "https_proxy" => Some(first.into()),
            "no_proxy" => Some(second.into()),
            _ => None,
        });
        if let Ok(Some(proxy)) = proxy {
            assert!(proxy.port() != 0 && is_plain(proxy.host()));
        }
    }
    redirect(case.flags, case.bytes);
});

fn check(url: &Url) {
    assert_ne!(url.port(), 0);
    assert!(is_plain(url.host()) && is_plain(url.authority()) && is_plain(url.target()));
    assert!(!url.host().contains(['/', '?', '#', '@', '[', ']', ' ']), "{url:?}");
    assert!(url.target().starts_with('/') && !url.target().contains('#'));
    let shown: Url = url.to_string().parse().expect("what is shown is an address");
    assert_eq!((shown.host(), shown.zone(), shown.port()), (url.host(), url.zone(), url.port()));
    assert_eq!((shown.authority(), shown.target()), (url.authority(), url.target()));
    assert_eq!(shown.is_secure(), url.is_secure());
    assert_eq!(shown.credentials(), None, "they are not shown");
    let options = Options::default();
    assert!(options.request(url).is_ok(), "it can be asked for: {url:?}");
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A server answers that what was asked for is elsewhere.
fn redirect(flags: u8, bytes: &[u8]) {
    let line: Vec<u8> = bytes.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect();
    let status = [301, 302, 303, 307, 308][usize::from(flags >> 4) % 5];
    let mut answer = format!("HTTP/1.1 {status} Elsewhere\r\nLocation: ").into_bytes();
    answer.extend_from_slice(&line);
    answer.extend_from_slice(b"\r\nContent-Length: 0\r\n\r\n");
    let log = Arc::new(Mutex::new(Vec::new()));
    let network = Scripted { answer, log: Arc::clone(&log) };
    let client = Client::new(network, Options::builder().redirects(2).build().unwrap());
    let is_secure = flags & 0x01 != 0;
    let base_path = ["/a/b/c?d=/e", "/", "/a/../b/", "/?x", "//a//b"][usize::from(flags >> 1) % 5];
    let scheme = if is_secure { "wss" } else { "ws" };
    let base = format!("{scheme}://me:secret@base.test:81{base_path}");
    let mut connecting = pin!(client.connect(&base));
    let mut context = Context::from_waker(Waker::noop());
    let is_done = (0..100).any(|_| connecting.as_mut().poll(&mut context).is_ready());
    assert!(is_done, "it is asked three times at most");

    let log = log.lock().expect("no panic");
    assert!((1..=3).contains(&log.len()), "{} requests", log.len());
    for request in &*log {
        let head = core::str::from_utf8(&request.written).expect("a head is ASCII");
        assert_eq!(head.matches("\r\n\r\n").count(), 1, "one request: {head:?}");
        assert_eq!(head.matches("\r\nHost: ").count(), 1, "one host: {head:?}");
        let is_first_server = head.contains("\r\nHost: base.test:81\r\n");
        let has_credentials = head.contains("\r\nAuthorization: ");
        assert!(!has_credentials || is_first_server, "they go to no other server: {head:?}");
        assert!(!is_secure || request.is_secure, "never from wss:// to ws://");
    }
    let Some(second) = log.get(1) else { return };
    let location = String::from_utf8_lossy(&line);
    let location = location.trim_matches([' ', '\t']);
    let location = location.split('#').next().unwrap_or_default();
    let path_end = location.find(['/', '?']).unwrap_or(location.len());
    if location.starts_with("//") || location[..path_end].contains(':') {
        return;
    }
    let head = String::from_utf8_lossy(&second.written);
    let target = head.split(' ').nth(1).expect("a request has a target");
    assert_eq!(target, resolve(base_path, location), "{base_path} and {location}");
}

/// RFC 3986 §5.2.2 for a reference without scheme and authority, a second time.
fn resolve(base: &str, reference: &str) -> String {
    let split = |text: &str| match text.split_once('?') {
        Some((path, query)) => (path.to_string(), format!("?{query}")),
        None => (text.to_string(), String::new()),
    };
    let ((base_path, base_query), (path, query)) = (split(base), split(reference));
    if path.is_empty() {
        return base_path + if reference.is_empty() { &base_query } else { &query };
    }
    let merged = match path.strip_prefix('/') {
        Some(_) => path,
        None => {
            format!("{}/{path}", base_path.rsplit_once('/').map_or("", |(directory, _)| directory))
        }
    };
    remove_dot_segments(&merged) + &query
}

/// RFC 3986 §5.2.4, by the letter, for a path that begins with a slash.
fn remove_dot_segments(path: &str) -> String {
    let (mut input, mut output) = (path.to_string(), String::new());
    while !input.is_empty() {
        if input.starts_with("/./") {
            input.drain(..2);
        } else if input == "/." {
            input = "/".into();
        } else if input.starts_with("/../") || input == "/.." {
            input = if input == "/.." { "/".into() } else { input[3..].into() };
            output.truncate(output.rfind('/').unwrap_or(0));
        } else {
            let end = input[1..].find('/').map_or(input.len(), |end| end + 1);
            output.extend(input.drain(..end));
        }
    }
    output
}

/// One answer to every request, and then the end.
#[derive(Debug)]
struct Scripted {
    answer: Vec<u8>,
    log: Arc<Mutex<Vec<Record>>>,
}

#[derive(Debug, Default)]
struct Record {
    is_secure: bool,
    written: Vec<u8>,
}

#[derive(Debug)]
struct Stream {
    answer: Vec<u8>,
    log: Arc<Mutex<Vec<Record>>>,
    number: usize,
}

#[derive(Clone, Debug)]
struct Still;

impl Network for Scripted {
    type Stream = Stream;
    type Tls = Stream;
    type Clock = Still;

    fn clock(&self) -> Still {
        Still
    }

    fn resolve(&self, _host: String, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]) })
    }

    fn connect(&self, _: SocketAddr, _: SocketOptions) -> BoxFuture<io::Result<Stream>> {
        let (answer, log) = (self.answer.clone(), Arc::clone(&self.log));
        Box::pin(async move {
            let mut records = log.lock().expect("no panic");
            records.push(Record::default());
            let number = records.len() - 1;
            drop(records);
            Ok(Stream { answer, log, number })
        })
    }

    fn has_tls(&self) -> bool {
        true
    }

    fn secure(&self, stream: Stream, _host: &str) -> BoxFuture<io::Result<Stream>> {
        stream.record(|record| record.is_secure = true);
        Box::pin(async move { Ok(stream) })
    }
}

impl Stream {
    fn record(&self, change: impl FnOnce(&mut Record)) {
        if let Some(record) = self.log.lock().expect("no panic").get_mut(self.number) {
            change(record);
        }
    }
}

impl ByteStream for Stream {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let count = self.answer.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.answer[..count]);
        self.answer.drain(..count);
        Poll::Ready(Ok(count))
    }

    fn poll_write(
        &mut self,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.record(|record| record.written.extend_from_slice(&bytes));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::ZERO
    }

    fn poll_deadline(&mut self, _: &mut Context<'_>, _: Timestamp) -> Poll<()> {
        Poll::Pending
    }
}
