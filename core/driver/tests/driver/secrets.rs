//! What ends up in logs has no credentials in it: a secret is put wherever there is a place for one.

use std::fmt::Debug;
use std::io::ErrorKind;

use tidegate_driver::{Backoff, Error, Options, Proxy, Url};

use crate::world::{Fate, World, addresses};

const URL: &str = "wss://user:s3cret@a.test:81/path?token=s3cret";
const PROXY: &str = "http://user:s3cret@proxy.test:3128";

fn shows(value: &dyn Debug, words: &[&str]) {
    for text in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(!text.contains("s3cret") && !text.contains("czNjcmV0"), "{text}");
        for word in words {
            assert!(text.contains(word), "{text} has not {word}");
        }
    }
}

/// As they may be set: header, cookie, subprotocol, proxy.
fn options() -> Options {
    Options::builder()
        .header("Authorization", "Bearer s3cret")
        .header("Cookie", "session=s3cret")
        .header("X-Api-Key", "s3cret")
        .subprotocol("base64url.bearer.s3cret")
        .proxy(PROXY.parse().unwrap())
        .build()
        .unwrap()
}

#[test]
fn addresses_options_and_clients_show_no_credentials() {
    let url: Url = URL.parse().unwrap();
    shows(&url, &["a.test", "81", "/path"]);
    assert_eq!(url.target(), "/path?token=s3cret", "it is there");
    let proxy: Proxy = PROXY.parse().unwrap();
    shows(&proxy, &["proxy.test", "3128"]);
    assert!(!format!("{url} {proxy}").contains("user"));
    shows(&options(), &["X-Api-Key", "Cookie", "proxy.test"]);
    let world = World::new(addresses(1), [Fate::Refused(ErrorKind::ConnectionRefused)]);
    let client = world.client(options());
    shows(&client, &["X-Api-Key"]);
    let connections = client.reconnect(URL, Backoff::default()).unwrap();
    shows(&connections, &["a.test", "/path"]);
    let debug = format!("{:?}", URL.parse::<Url>().unwrap().credentials());
    assert!(!debug.contains("s3cret"), "{debug}");
}

#[test]
fn errors_show_no_credentials() {
    let answer = |text: &str| Fate::Answers(text.into());
    for (fate, options) in [
        (Fate::Refused(ErrorKind::ConnectionRefused), options()),
        (answer("HTTP/1.1 407 Who\r\n\r\n"), options()),
        (answer("SSH-2.0\r\n"), Options::default()),
        (
            answer("HTTP/1.1 401 Who\r\nSet-Cookie: s3cret\r\nContent-Length: 6\r\n\r\ns3cret"),
            Options::default(),
        ),
        (
            answer("HTTP/1.1 302 There\r\nLocation: ws://me:s3cret@b.test/?s3cret\r\n\r\n"),
            Options::builder().redirects(1).header("Cookie", "s3cret").build().unwrap(),
        ),
        (Fate::Silent, options()),
    ] {
        let world = World::new(addresses(1), [fate]);
        let error = world.run(world.client(options).connect(URL)).unwrap_err();
        shows(&error, &[]);
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    for (url, options) in [
        ("wss://user:s3cret\\@a.test/?s3cret", Options::builder()),
        ("wss://user:s3cret@a.test/ ?s3cret", Options::builder()),
        ("wss://user:s3cret@127.1/?s3cret", Options::builder()),
        (URL, Options::builder().header("X", "s3cret\r\n")),
        (URL, Options::builder().subprotocol("s3cret s3cret")),
    ] {
        let world = World::new(addresses(1), [Fate::Silent]);
        let connect = |options| world.run(world.client(options).connect(url));
        let error = options.build().and_then(connect).unwrap_err();
        assert!(matches!(error, Error::Url(_) | Error::Request(_)), "{error:?}");
        shows(&error, &[]);
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}
