//! The answers of proxies: any bytes in any pieces, HTTP CONNECT and SOCKS5.
#![no_main]

use core::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidegate_core::handshake::proxy::{HttpConnect, ProxyError, Socks5};
use tidegate_core::handshake::{BasicCredentials, Limits};
use tidegate_core::{Timestamp, Transport};
use tidegate_fuzz::cut;

#[derive(Arbitrary, Debug)]
struct Case<'b> {
    flags: u8,
    seed: u8,
    bytes: &'b [u8],
}

/// What can be seen of a machine in the end.
#[derive(Debug, PartialEq)]
struct Seen {
    is_open: bool,
    failure: Option<ProxyError>,
    output: Vec<u8>,
    rest: Vec<u8>,
    transport: Transport,
    deadline: Option<Timestamp>,
}

/// Feeds a machine; both have the same methods.
macro_rules! replay {
    ($machine:expr, $pieces:expr, $flags:expr) => {{
        let mut machine = $machine;
        let (mut now, mut output) = (Timestamp::ZERO, Vec::new());
        for piece in $pieces {
            machine.handle_input(now, piece);
            assert!(!(machine.is_open() && machine.failure().is_some()), "one or the other");
            assert_eq!(machine.wants_output(), !machine.output().is_empty());
            if machine.failure().is_some() {
                assert!(!machine.wants_output() && !machine.wants_input());
                assert_eq!(machine.transport(), Transport::Close);
            }
        }
        if $flags & 0x02 != 0 {
            machine.handle_eof(now);
            assert!(!machine.wants_input(), "the end is the end");
        }
        if $flags & 0x04 != 0 {
            now = now + Duration::from_secs(60);
            machine.handle_timeout(now);
            if machine.wants_input() {
                // The last look brings nothing.
                now = machine.poll_timeout().expect("a last look");
                machine.handle_timeout(now);
            }
            assert!(!machine.wants_input(), "the timeout holds");
        }
        output.extend_from_slice(machine.output());
        Seen {
            is_open: machine.is_open(),
            failure: machine.failure().copied(),
            output,
            rest: machine.rest().to_vec(),
            transport: machine.transport(),
            deadline: machine.poll_timeout(),
        }
    }};
}

fuzz_target!(|case: Case<'_>| {
    let whole = run(&case, &[case.bytes]);
    assert_eq!(whole, run(&case, &cut(case.bytes, 0, 1)), "byte by byte");
    let longest = 1 + usize::from(case.seed % 40);
    assert_eq!(whole, run(&case, &cut(case.bytes, case.seed.into(), longest)), "in pieces");
    assert!(case.bytes.ends_with(&whole.rest), "what is left is the end of what came");
    if case.flags & 0x01 != 0 {
        check_socks(&case, &whole);
    } else if whole.is_open {
        let head = &case.bytes[..case.bytes.len() - whole.rest.len()];
        // As of a server's answer, its lines may end with LF alone.
        assert!(head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n"), "a head ends so");
        assert!(head.len() <= Limits::default().max_head_bytes(), "and is short");
    }
});

fn run(case: &Case<'_>, pieces: &[&[u8]]) -> Seen {
    let credentials = BasicCredentials::new("user", "secret").expect("valid");
    let credentials = (case.flags & 0x08 != 0).then_some(&credentials);
    let limits = Limits::default();
    let host = ["example.org", "192.0.2.1", "2001:db8::1"][usize::from(case.flags >> 4) % 3];
    if case.flags & 0x01 != 0 {
        let proxy = Socks5::new(Timestamp::ZERO, host, 443, credentials, &limits);
        replay!(proxy.expect("valid"), pieces, case.flags)
    } else {
        let proxy = HttpConnect::new(Timestamp::ZERO, host, 443, credentials, &limits);
        replay!(proxy.expect("valid"), pieces, case.flags)
    }
}

/// RFC 1928 and RFC 1929 a second time: whether these bytes open the way, and what is behind them.
fn check_socks(case: &Case<'_>, seen: &Seen) {
    let has_credentials = case.flags & 0x08 != 0;
    let chosen = match case.bytes {
        [5, 0, rest @ ..] => Some(rest),
        [5, 2, 1, 0, rest @ ..] if has_credentials => Some(rest),
        _ => None,
    };
    let answered = chosen.and_then(|rest| match rest {
        [5, 0, _, 1, rest @ ..] => rest.get(4 + 2..),
        [5, 0, _, 3, length, rest @ ..] => rest.get(usize::from(*length) + 2..),
        [5, 0, _, 4, rest @ ..] => rest.get(16 + 2..),
        _ => None,
    });
    assert_eq!(seen.is_open, answered.is_some());
    assert_eq!(seen.rest, answered.unwrap_or_default());
}
