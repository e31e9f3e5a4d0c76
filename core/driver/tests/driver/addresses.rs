//! Addresses that mean one thing only: what is taken, what is refused, and what goes past a proxy.

use std::net::Ipv4Addr;

use proptest::prelude::*;
use tidegate_driver::{Proxy, Url, UrlError};

fn parse(text: &str) -> Result<Url, UrlError> {
    text.parse()
}

/// RFC 3986 §3.2.1: unreserved, percent-encoded, sub-delims and ":". Parsers of browsers end the
/// host at a backslash, so `ws://good.test\@evil.test/` is `good.test` to them.
#[test]
fn user_information_has_only_what_rfc_3986_allows() {
    for byte in 0x21..0x7f_u8 {
        let text = format!("ws://a{}b@host.test/", char::from(byte));
        let allowed = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:".contains(&byte);
        match byte {
            // They end the authority, begin a fragment, or begin an escape.
            b'/' | b'?' => assert_eq!(parse(&text).unwrap().host(), "a", "{text}"),
            b'#' | b'%' => assert!(parse(&text).is_err(), "{text}"),
            _ if allowed => assert_eq!(parse(&text).unwrap().host(), "host.test", "{text}"),
            _ => assert_eq!(parse(&text), Err(UrlError::Character { byte }), "{text}"),
        }
    }
    for scheme in ["ws", "wss", "http", "https"] {
        let text = format!("{scheme}://good.test\\@evil.test/");
        assert_eq!(parse(&text), Err(UrlError::Character { byte: b'\\' }), "{text}");
    }
    assert!("http://a\\b@proxy.test".parse::<Proxy>().is_err());
}

/// Browsers read a backslash in a path as a slash, servers as a character.
#[test]
fn a_backslash_in_a_path_is_to_be_encoded() {
    assert_eq!(parse("ws://a.test/\\b.test/"), Err(UrlError::Character { byte: b'\\' }));
    assert_eq!(parse("ws://a.test/?\\").unwrap().target(), "/?\\");
}

/// The URL standard's "ends in a number": the system's resolver makes an address of most of them,
/// so a filter of hosts would see a name and the connection go to an address.
#[test]
fn numbers_in_disguise_are_no_hosts() {
    for host in [
        "127.1",
        "0x7f.1",
        "0X7F.0.0.1",
        "0177.0.0.1",
        "2130706433",
        "1.2.3.4.5",
        "1.2.3",
        "1.2.3.256",
        "01.2.3.4",
        "127.0.0.1.",
        "a.test.1",
        "a.0x1f",
        "a.0x",
        "0",
    ] {
        for text in [format!("ws://{host}/"), format!("wss://me@{host}:81/")] {
            assert_eq!(parse(&text), Err(UrlError::NumericHost), "{text}");
        }
        assert_eq!(host.parse::<Proxy>(), Err(UrlError::NumericHost), "{host}");
    }
    for host in ["127.0.0.1", "1.2.3.4", "1.2.3.4a", "1a", "0xg", "a1", "1.test", "x0.0x0g"] {
        assert_eq!(parse(&format!("ws://{host}/")).unwrap().host(), host);
    }
    #[cfg(feature = "idna")]
    assert_eq!(parse("ws://\u{ff11}27.1/"), Err(UrlError::NumericHost));
}

/// RFC 6874. The zone says which of this machine's links is meant, and is nobody else's business.
#[test]
fn an_address_of_a_link_has_a_zone() {
    for (text, zone) in [
        ("ws://[fe80::1%25eth0]/x", "eth0"),
        ("ws://[fe80::1%251]/x", "1"),
        ("ws://[fe80::1%25br-lan.5]:80/x", "br-lan.5"),
        ("ws://[fe80::1%25a%3ab]/x", "a:b"),
    ] {
        let url = parse(text).expect(text);
        assert_eq!((url.host(), url.zone()), ("fe80::1", Some(zone)), "{text}");
        assert_eq!(url.authority(), "[fe80::1]", "the Host header has no zone");
        assert_eq!(url.to_string().parse(), Ok(url), "what is shown is the same address");
    }
    assert_eq!(parse("ws://[fe80::1%25eth0]:81/").unwrap().authority(), "[fe80::1]:81");
    assert_eq!(parse("ws://[fe80::1]/").unwrap().zone(), None);
    for text in [
        "ws://[fe80::1%eth0]/",
        "ws://[fe80::1%25]/",
        "ws://[fe80::1%25a%2fb]/",
        "ws://[fe80::1%25a%25b]/",
        "ws://[fe80::1%25a%0a]/",
        "ws://[fe80::1%25a%zz]/",
    ] {
        assert!(matches!(parse(text), Err(UrlError::Zone)), "{text}: {:?}", parse(text));
    }
    assert_eq!(parse("ws://[127.0.0.1%25lo]/"), Err(UrlError::Host));
    let proxy: Proxy = "socks5://[fe80::2%25eth0]:1080".parse().expect("a proxy on this link");
    assert_eq!(
        (proxy.host(), proxy.to_string().as_str()),
        ("fe80::2", "socks5://[fe80::2%25eth0]:1080")
    );
}

/// As the constructor of browsers' `WebSocket` takes them.
#[test]
fn addresses_of_http_are_those_of_websocket() {
    for (text, shown) in [
        ("http://a.test", "ws://a.test/"),
        ("HTTPS://a.test/x", "wss://a.test/x"),
        ("https://a.test:443/", "wss://a.test/"),
        ("http://a.test:443/", "ws://a.test:443/"),
    ] {
        let url = parse(text).expect(text);
        assert_eq!(url.to_string(), shown);
        assert_eq!(url, parse(shown).unwrap());
    }
    assert_eq!(parse("httpss://a.test"), Err(UrlError::Scheme));
}

/// What `no_proxy` names, by one list for each case.
fn goes_past_the_proxy(url: &str, no_proxy: &str) -> bool {
    let url = parse(url).expect(url);
    let lookup = |name: &str| match name {
        "all_proxy" => Some("proxy.test".into()),
        "no_proxy" => Some(String::from(no_proxy)),
        _ => None,
    };
    Proxy::from_environment(&url, lookup).expect(no_proxy).is_none()
}

#[test]
fn no_proxy_knows_networks_ports_and_patterns() {
    for (list, url, expected) in [
        ("10.0.0.0/8", "ws://10.200.3.4/", true),
        ("10.0.0.0/8", "ws://11.0.0.1/", false),
        ("10.1.2.3/8", "ws://10.9.9.9/", true),
        ("192.168.4.0/22", "ws://192.168.7.255/", true),
        ("192.168.4.0/22", "ws://192.168.8.0/", false),
        ("0.0.0.0/0", "ws://8.8.8.8/", true),
        ("0.0.0.0/0", "ws://[::1]/", false),
        ("1.2.3.4/32", "ws://1.2.3.4/", true),
        ("1.2.3.4/32", "ws://1.2.3.5/", false),
        ("fd00::/8", "ws://[fd12::1]/", true),
        ("[fd00::]/8", "ws://[fd12::1]/", true),
        ("fd00::/8", "ws://[fe80::1]/", false),
        ("fe80::/10", "ws://[fe80::1%25lo]/", true),
        ("::1/128", "ws://[::1]/", true),
        ("::/0", "ws://[2001:db8::1]/", true),
        ("10.0.0.0/8", "ws://ten.test/", false),
        ("a.test:8080", "ws://a.test:8080/", true),
        ("a.test:8080", "ws://b.a.test:8080/", true),
        ("a.test:8080", "ws://a.test/", false),
        ("a.test:443", "wss://a.test/", true),
        ("10.0.0.1:81", "ws://10.0.0.1:81/", true),
        ("10.0.0.1:81", "ws://10.0.0.1/", false),
        ("[::1]:81", "ws://[::1]:81/", true),
        ("[::1]:81", "ws://[::1]:82/", false),
        ("*.a.test", "ws://b.a.test/", true),
        ("*.a.test", "ws://c.b.a.test/", true),
        ("*.a.test", "ws://a.test/", false),
        ("*.a.test", "ws://ba.test/", false),
        (".a.test", "ws://b.a.test/", true),
        (".a.test", "ws://a.test/", true),
        ("*", "ws://a.test/", true),
        ("b.test,*", "ws://a.test/", true),
        ("a.test.", "ws://A.TEST./", true),
        ("1.2.3.4", "ws://1.2.3.4/", true),
        ("a.test", "ws://b.test/", false),
        ("  ,, ", "ws://a.test/", false),
    ] {
        assert_eq!(goes_past_the_proxy(url, list), expected, "{list} and {url}");
    }
}

/// An entry that means nothing would send to the proxy what was to go past it.
#[test]
fn no_proxy_that_cannot_be_understood_is_an_error() {
    let url = parse("ws://a.test/").unwrap();
    let read = |list: &str, proxy: Option<&str>| {
        let lookup = |name: &str| match name {
            "http_proxy" => proxy.map(String::from),
            "no_proxy" => Some(String::from(list)),
            _ => None,
        };
        Proxy::from_environment(&url, lookup)
    };
    for entry in [
        "192.168.*",
        "192.168.",
        "*a.test",
        "a.*.test",
        "<local>",
        "http://b.test",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/+8",
        "10/8",
        "fd00::/129",
        "b.test/8",
        "b.test:0",
        "b.test:http",
        "[::1",
        "..b.test",
        "127.1",
    ] {
        for list in [entry.to_owned(), format!("a.test, {entry}"), format!("{entry},a.test")] {
            let error = read(&list, Some("proxy.test")).expect_err(entry).to_string();
            assert!(error.contains(entry) && error.contains("no_proxy"), "{error}");
        }
        assert_eq!(read(entry, None).ok(), Some(None), "there is no proxy to go past");
    }
    let long = read(&"?".repeat(100_000), Some("proxy.test")).expect_err("no name").to_string();
    assert!(long.len() < 400, "{} bytes", long.len());
    let secret = read("http://me:secret@b.test", Some("proxy.test")).expect_err("no name");
    assert!(!format!("{secret} {secret:?}").contains("secret"));
    let wrong = read("", Some("ftp://me:secret@b.test")).expect_err("no proxy");
    assert!(wrong.to_string().contains("http_proxy"), "{wrong}");
    assert!(!format!("{wrong} {wrong:?}").contains("secret"));
}

proptest! {
    /// Pieces of addresses, put together in any way: what is taken is shown as itself, and its host
    /// is a name, or an address in its one form.
    #[test]
    fn what_is_taken_is_shown_as_itself(
        text in "(ws|http)s?://([a-c:%2@!\\\\]{0,6}@)?(\\[[0-9a-f:]{2,8}(%25[a-z0-9%:.]{0,5})?\\]|[a-c0-3.x-]{1,8})(:[0-9]{0,5})?([/?][a-c./?\\\\#]{0,6})?"
    ) {
        let Ok(url) = parse(&text) else { return Ok(()) };
        let shown = parse(&url.to_string()).unwrap();
        prop_assert_eq!((shown.host(), shown.zone(), shown.port()), (url.host(), url.zone(), url.port()));
        prop_assert_eq!((shown.authority(), shown.target()), (url.authority(), url.target()));
        prop_assert_eq!((shown.is_secure(), shown.credentials()), (url.is_secure(), None));
        prop_assert!(!url.authority().contains(['%', '@', '\\']));
        let last = url.host().trim_end_matches('.').rsplit('.').next().unwrap();
        let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
        if is_number && !url.host().contains(':') {
            prop_assert!(url.host().parse::<Ipv4Addr>().is_ok(), "{}", url.host());
        }
    }
}
