//! Writes seed corpora from the wire vectors: `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.
#![allow(clippy::unwrap_used, reason = "a tool for those who work here")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tidegate_core::Timestamp;
use tidegate_core::handshake::{
    Acceptance, ClientHandshake, ClientRequest, Limits, ServerHandshake,
};
use tidegate_core::testing::Frame;
use tidegate_fuzz::settings::Settings;

fn main() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seeds = Seeds::default();
    let mut names: Vec<_> = fs::read_dir(fuzz.join("../tests/vectors"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    names.sort();
    for name in names.iter().filter(|name| name.extension().is_some_and(|end| end == "json")) {
        let file: Value = serde_json::from_str(&fs::read_to_string(name).unwrap()).unwrap();
        for vector in file["vectors"].as_array().unwrap() {
            seeds.vector(vector);
        }
    }
    seeds.by_hand();
    for (target, seed) in &seeds.0 {
        let folder = fuzz.join("seeds").join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{:016x}", hash(seed))), seed).unwrap();
    }
    println!("{} seeds", seeds.0.len());
}

#[derive(Default)]
struct Seeds(BTreeSet<(&'static str, Vec<u8>)>);

impl Seeds {
    fn add(&mut self, target: &'static str, head: &[u8], bytes: &[u8]) {
        let seed = [head, bytes].concat();
        if seed.len() <= LONGEST {
            self.0.insert((target, seed));
        }
    }

    fn vector(&mut self, vector: &Value) {
        let is_client = vector["role"] == "client";
        let mut bytes = Vec::new();
        for step in vector["steps"].as_array().unwrap() {
            for key in ["recv", "recv_split"] {
                if let Some(step) = step.get(key) {
                    read_bytes(step, &mut bytes);
                }
            }
        }
        let role = u8::from(is_client);
        let deflate = &vector["config"]["deflate"];
        if vector["phase"] == "handshake" {
            self.add("handshake", &[role | 0x10, 7], &bytes);
            return;
        }
        self.add("differential", &[role, 3], &bytes);
        let rsv1 = if deflate.is_object() { 2 } else { 0 };
        // The sender is the other role.
        self.add("decoder", &[(1 - role) | rsv1, 3], &bytes);
        let head = [&[(1 - role) | rsv1][..], &[0; 9]].concat();
        self.add("frame_header", &head, &bytes[..bytes.len().min(14)]);
        if deflate.is_object() {
            self.inflate(role, &bytes, deflate);
        }
    }

    /// The compressed messages alone.
    fn inflate(&mut self, role: u8, bytes: &[u8], deflate: &Value) {
        let mut messages: Vec<Vec<u8>> = Vec::new();
        let mut rest = bytes;
        while let Ok(Some((frame, taken))) = Frame::parse(rest) {
            rest = &rest[taken..];
            match frame.opcode {
                0 if !messages.is_empty() => {
                    messages.last_mut().unwrap().extend(frame.payload);
                }
                1 | 2 if frame.reserved == 4 => messages.push(frame.payload),
                _ => {}
            }
        }
        let flag = |name: &str| u8::from(deflate[name] == true);
        let bits = |name: &str| 15 - deflate[name].as_u64().unwrap_or(15).clamp(8, 15) as u8;
        let params = flag("server_no_context_takeover")
            | flag("client_no_context_takeover") << 1
            | bits("server_max_window_bits") << 2
            | bits("client_max_window_bits") << 5;
        self.add("inflate", &[role, params, 0, 0, 5, 3], &messages.join(&[0x01, 0xFE][..]));
    }

    fn by_hand(&mut self) {
        for address in [
            "ws://example.org",
            "wss://me:secret@[2001:db8::1]:8443/chat?room=1",
            "ws://m%C3%BCller:x@y@host:65535/?q",
            "http://user:password@proxy.test:3128 localhost,.internal,*",
            "socks5h://[::1]",
            "../x/./y?z",
            "//other.test/x",
            "https://other.test/a/../b",
            "?q",
            "/a/./b/../c",
            "",
        ] {
            for flags in [0x00, 0x01, 0x12, 0x25] {
                self.add("url", &[flags], address.as_bytes());
            }
        }
        for answer in [
            &b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n\x81\x00"[..],
            b"HTTP/1.0 200 Connection established\r\n\r\n",
            b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n\r\n",
        ] {
            self.add("proxy", &[0x08, 9], answer);
        }
        for answer in [
            &b"\x05\x00\x05\x00\x00\x01\x7f\0\0\x01\x1f\x90rest"[..],
            b"\x05\x02\x01\x00\x05\x00\x00\x03\x04host\x1f\x90",
            b"\x05\x00\x05\x00\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1f\x90",
            b"\x05\x00\x05\x05\x00\x01",
            b"\x05\xff",
        ] {
            self.add("proxy", &[0x09, 9], answer);
        }
        self.handshakes();
        // Settings of each kind in front of what is arbitrary behind them.
        for flags in 0..32 {
            let settings =
                Settings { flags, messages: 3, deflate: flags << 3, ..Settings::default() };
            let noise: Vec<u8> = (0..120u8).map(|number| number.wrapping_mul(37) ^ flags).collect();
            self.add("connection", &settings.to_bytes(), &noise);
            self.add("session", &settings.to_bytes(), &noise);
            self.add("driver", &[], &noise);
            self.add("split", &[], &noise);
        }
    }

    /// The answer that the client of the target `handshake` waits for, and what a server gets.
    fn handshakes(&mut self) {
        let now = Timestamp::ZERO;
        for with_chat in [false, true] {
            let mut request = ClientRequest::builder("example.org", "/");
            if with_chat {
                request = request.subprotocol("chat");
            }
            let request = request.build().unwrap();
            let mut client = ClientHandshake::new(now, request, Limits::default(), [5; 32]);
            let mut server = ServerHandshake::new(now, Limits::default());
            server.handle_input(now, client.output());
            self.add("handshake", &[0x00, 9], client.output());
            let acceptance =
                if with_chat { Acceptance::new().subprotocol("chat") } else { Acceptance::new() };
            server.accept(acceptance).unwrap();
            let flags = if with_chat { 0x11 } else { 0x01 };
            self.add("handshake", &[flags, 9], &[server.output(), &b"\x81\x05Hello"[..]].concat());
        }
        let request = b"example.org:81\0/chat?x\0X-Any\0value\0chat\0v2.chat";
        self.add("handshake", &[0x80, 9], request);
    }
}

/// The bytes of a vector: hex, text, repeated, or a list. Placeholders stay as they are.
fn read_bytes(value: &Value, into: &mut Vec<u8>) {
    match value {
        Value::String(hex) => {
            let digit = |index: usize| u8::from_str_radix(&hex[index..index + 2], 16).unwrap();
            into.extend((0..hex.len()).step_by(2).map(digit));
        }
        Value::Array(list) => list.iter().for_each(|value| read_bytes(value, into)),
        Value::Object(object) => {
            if let Some(text) = object.get("utf8") {
                into.extend(text.as_str().unwrap().bytes());
            } else if let Some(repeat) = object.get("repeat") {
                for _ in 0..repeat[1].as_u64().unwrap().min(2000) {
                    read_bytes(&repeat[0], into);
                    if into.len() > LONGEST {
                        return;
                    }
                }
            }
        }
        _ => {}
    }
}

/// FNV-1a: a name that depends on nothing but the bytes.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// Longer seeds are left out: they slow everything down.
const LONGEST: usize = 1024;
