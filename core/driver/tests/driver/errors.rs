//! The texts and sources of the driver's errors, and their conversion to `std::io::Error`.

use std::error::Error as _;
use std::io::{self, ErrorKind};

use tidegate_core::handshake::proxy::{ProxyError, ProxyRequestError};
use tidegate_core::handshake::{
    AcceptError, CredentialsError, HandshakeError, HeaderError, RequestError,
};
use tidegate_core::{ChunkError, ConfigError, ControlError, MessageKind};
use tidegate_driver::{ConnectFault, Error, Proxy, RedirectError, Remote, Stage, Url, UrlError};

use crate::mock::{Count, Net, Read, poll, ready};

/// The text is in lower case, without a full stop, and contains these words.
fn says(error: impl std::fmt::Display, words: &str) {
    let text = error.to_string();
    assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
    assert!(!text.starts_with(char::is_uppercase) || text.starts_with("TLS"), "{text}");
    assert!(text.contains(words), "{text:?} has not {words:?}");
}

fn broken() -> io::Error {
    io::Error::new(ErrorKind::BrokenPipe, "the pipe is broken")
}

/// Along the whole chain, no text repeats the text of its source.
fn says_each_thing_once(error: &(dyn std::error::Error + 'static)) {
    let mut error = error;
    while let Some(source) = error.source() {
        assert!(!error.to_string().contains(&source.to_string()), "{error} <- {source}");
        error = source;
    }
}

#[test]
fn an_error_shows_its_own_cause_and_has_its_source() {
    let chunk =
        tidegate_core::Chunk { kind: MessageKind::Text, payload: b"\xFF"[..].into(), last: true };
    for (error, words) in [
        (Error::Chunk(ChunkError::InvalidUtf8(chunk)), "text"),
        (Error::Control(ControlError::PayloadTooLong { length: 126 }), "126"),
        (Error::Url(UrlError::Scheme), "ws://"),
        (Error::Url(UrlError::Credentials(CredentialsError::Colon)), "colon"),
        (Error::Config(ConfigError::ZeroDuration { setting: "timeout" }), "timeout"),
        (Error::Request(RequestError::Host), "host"),
        (Error::Request(RequestError::Header(HeaderError::Reserved)), "handshake itself"),
        (Error::Accept(AcceptError::Status { status: 200 }), "200"),
        (Error::Accept(AcceptError::Header(HeaderError::Name)), "token"),
        (HandshakeError::Status { status: 503 }.into(), "503"),
    ] {
        says(&error, words);
        says_each_thing_once(&error);
        assert!(error.source().is_none(), "{error} is ours, and says all of it");
    }
    for (error, words) in [
        (Error::Io(broken()), "the transport failed"),
        (Error::Tls(broken()), "TLS with the client"),
    ] {
        says(&error, words);
        says_each_thing_once(&error);
        let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        assert_eq!(source.map(io::Error::kind), Some(ErrorKind::BrokenPipe), "{error}");
    }
    for (error, words) in [
        (Error::Closing, "closing handshake"),
        (Error::Unfinished, "chunks"),
        (Error::NotReady, "poll_ready"),
    ] {
        says(&error, words);
        assert!(error.source().is_none());
    }
}

#[test]
fn a_transport_error_survives_conversion_to_an_io_error() {
    assert_eq!(io::Error::from(Error::Io(broken())).kind(), ErrorKind::BrokenPipe);
    assert!(matches!(Error::from(broken()), Error::Io(_)));
    let other = io::Error::from(Error::Closing);
    assert_eq!(other.kind(), ErrorKind::Other);
    assert!(other.get_ref().unwrap().downcast_ref::<Error>().is_some(), "it can be had back");
}

#[test]
fn a_connection_that_is_over_says_how_it_ended() {
    let net = Net::new();
    let mut socket = net.server(tidegate_core::Config::default());
    net.push(Read::End);
    let ended = ready(poll(&Count::new(), socket.recv())).unwrap_err();
    says(&ended, "without a closing handshake");
    assert!(ended.source().is_none());
}

#[test]
fn a_client_that_cannot_connect_says_at_which_stage_and_why() {
    for (stage, words) in [
        (Stage::Resolve, "looking up"),
        (Stage::Connect, "connecting to"),
        (Stage::Proxy, "proxy"),
        (Stage::Tls, "TLS"),
        (Stage::Handshake, "opening handshake"),
    ] {
        assert!(stage.to_string().contains(words), "{stage}");
    }
    let url: Url = "wss://a.test/".parse().unwrap();
    let environment = Proxy::from_environment(&url, |name| {
        (name == "https_proxy").then(|| String::from("ftp://proxy.test"))
    });
    let environment = environment.unwrap_err();
    assert_eq!(environment.address(), Some(UrlError::ProxyScheme));
    for (fault, words) in [
        (ConnectFault::Resolve(broken()), "broken"),
        (ConnectFault::NoAddress, "no address"),
        (ConnectFault::Unreachable, "connected to"),
        (ConnectFault::ProxyEnvironment(environment), "https_proxy"),
        (ConnectFault::ProxyRequest(ProxyRequestError::Host), "255"),
        (ConnectFault::Proxy(ProxyError::NoMethod), "authenticate"),
        (ConnectFault::Tls(broken()), "broken"),
        (ConnectFault::Io(broken()), "broken"),
        (ConnectFault::TimedOut, "timeout"),
        (ConnectFault::Redirect(RedirectError::Loop), "circle"),
        (ConnectFault::Redirect(RedirectError::Location), "where to"),
        (ConnectFault::Redirect(RedirectError::Downgrade), "wss:// to ws://"),
        (ConnectFault::Redirect(RedirectError::TooMany { limit: 5 }), "`redirects` allows: 5"),
    ] {
        says(fault, words);
    }
}

#[test]
fn the_error_of_an_invalid_address_says_what_is_wrong() {
    for (error, words) in [
        (UrlError::Scheme, "wss://"),
        (UrlError::TlsNotBuilt, "rustls"),
        (UrlError::Character { byte: 0x20 }, "0x20"),
        (UrlError::Host, "IP address"),
        (UrlError::NumericHost, "number"),
        (UrlError::Zone, "%25"),
        (UrlError::HostNotAscii, "international"),
        (UrlError::Port, "65535"),
        (UrlError::UserInfo, "percent-encoded"),
        (UrlError::Credentials(CredentialsError::Colon), "colon"),
        (UrlError::Fragment, "fragment"),
        (UrlError::ProxyScheme, "http://"),
    ] {
        // With the feature `idna` a host may be international, but this one is not valid.
        if error == UrlError::HostNotAscii && !cfg!(feature = "idna") {
            says(error, "Punycode");
        } else {
            says(error, words);
        }
    }
}

#[test]
fn a_peer_without_an_ip_address_is_shown_by_name() {
    assert_eq!(Remote::Ip(([127, 0, 0, 1], 80).into()).to_string(), "127.0.0.1:80");
    assert_eq!(Remote::Unix(Some("/run/a".into())).to_string(), "unix:/run/a");
    assert_eq!(Remote::Unix(None).to_string(), "unix");
    assert_eq!(Remote::Other("a pipe".into()).to_string(), "a pipe");
    assert_eq!(Remote::Unix(None).address(), None);
}
