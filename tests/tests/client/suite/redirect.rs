//! Redirects: how far they are followed, and what is not sent to their target.

use core::time::Duration;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use tidegate_core::handshake::HandshakeError;
use tidegate_driver::{ConnectFault, Error, Options, Peer, RedirectError, Stage};

use super::{client, connect_error, talk, tls_client};
use crate::server::{self, answer, echo, listen, once, redirect, tls};
use crate::{Adapter, certificates};

pub(crate) fn redirections_are_followed_without_credentials<A: Adapter>() {
    let (other, serving) = once(|stream| echo(stream).unwrap());
    let location = format!("http://mallory:x@{other}/there#here");
    let (first, redirecting) =
        listen(vec![redirect(302, "next?x=1"), redirect(307, &location), redirect(301, "/")]);
    let options = Options::builder()
        .header("Cookie", "a=b")
        .header("X-Name", "value")
        .redirects(2)
        .build()
        .unwrap();
    let url = format!("ws://me:secret@{first}/a/b");
    A::block_on(async {
        talk(client::<A>(options).connect(&url).await.unwrap(), 1000).await;
    });
    // If redirects are off, a redirect is a refusal.
    let error = A::block_on(client::<A>(Options::default()).connect(&url)).unwrap_err();
    let Error::Handshake { error, response, .. } = error else { panic!("{error:?}") };
    assert_eq!(error, HandshakeError::Status { status: 301 });
    assert_eq!(response.unwrap().headers().get("Location"), Some("/"));

    let heads = redirecting.join().unwrap();
    for (head, target) in heads.iter().zip(["/a/b", "/a/next?x=1"]) {
        assert!(head.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{head}");
        assert!(head.contains("Authorization: Basic bWU6c2VjcmV0\r\n"), "{head}");
        assert!(head.contains("Cookie: a=b\r\n"), "{head}");
    }
    let request = serving.join().unwrap().remove(0);
    assert_eq!(request.target(), "/there");
    assert_eq!(request.headers().get("Authorization"), None);
    assert_eq!(request.headers().get("Cookie"), None);
    assert_eq!(request.headers().get("X-Name"), Some("value"));
}

pub(crate) fn redirections_that_are_not_followed<A: Adapter>() {
    let refused = |answers: Vec<_>, expected| {
        let (address, redirecting) = listen(answers);
        let client = client::<A>(Options::builder().redirects(2).build().unwrap());
        let error = connect_error(A::block_on(client.connect(&format!("ws://{address}/"))));
        assert!(
            matches!(error.fault(), ConnectFault::Redirect(why) if *why == expected),
            "{error}"
        );
        let peer = Peer::clone(error.peer());
        assert_eq!((error.stage(), peer.address), (Stage::Handshake, Some(address)));
        redirecting.join().unwrap();
    };
    refused(vec![redirect(302, "/")], RedirectError::Loop);
    refused(vec![redirect(308, "/a"), redirect(303, "/#x")], RedirectError::Loop);
    refused(
        vec![redirect(302, "/1"), redirect(302, "/2"), redirect(302, "/3")],
        RedirectError::TooMany { limit: 2 },
    );
    refused(vec![redirect(302, "ftp://x/")], RedirectError::Location);
    let bare = "HTTP/1.1 302 There\r\nContent-Length: 0\r\n\r\n";
    refused(vec![answer(bare.into())], RedirectError::Location);

    let (server, trusting) = certificates();
    let (address, redirecting) = once(move |stream| {
        let mut stream = tls(stream, &server);
        server::head(&mut stream);
        let answer = "HTTP/1.1 302 There\r\nLocation: ws://localhost/\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let client = tls_client::<A>(&trusting, Options::builder().redirects(9).build().unwrap());
    let error = connect_error(A::block_on(client.connect(&format!("wss://{address}/"))));
    assert!(matches!(error.fault(), ConnectFault::Redirect(RedirectError::Downgrade)), "{error}");
    redirecting.join().unwrap();
}

/// A response on a connection that stays open until the client leaves.
fn answer_and_stay(text: &'static str) -> Box<dyn FnOnce(TcpStream) -> String + Send> {
    Box::new(move |mut stream| {
        let head = server::head(&mut stream);
        stream.write_all(text.as_bytes()).unwrap();
        let _ = stream.read(&mut [0; 9]);
        head
    })
}

/// The target is known from the head alone: two hops declare bodies and do not send them.
pub(crate) fn redirections_do_not_wait_for_a_body<A: Adapter>() {
    let (address, redirecting) = listen(vec![
        answer_and_stay("HTTP/1.1 302 There\r\nLocation: /a\r\nContent-Length: 10\r\n\r\n"),
        answer_and_stay("HTTP/1.0 302 There\r\nLocation: /b\r\n\r\n"),
        answer_and_stay("HTTP/1.1 302 There\r\nLocation: /c\r\nLocation: /d\r\n\r\n"),
    ]);
    let begun = Instant::now();
    let client = client::<A>(Options::builder().redirects(9).build().unwrap());
    let error = A::block_on(client.connect(&format!("ws://{address}/"))).unwrap_err();
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
    let Error::Handshake { error, response, .. } = error else { panic!("{error:?}") };
    assert_eq!(error, HandshakeError::Location);
    assert_eq!(response.unwrap().headers().get_all("Location").count(), 2);
    assert_eq!(redirecting.join().unwrap().len(), 3);
}

pub(crate) fn a_refusal_does_not_wait_for_a_body_that_does_not_come<A: Adapter>() {
    let (address, refusing) =
        once(answer_and_stay("HTTP/1.0 401 Who\r\nWWW-Authenticate: Basic\r\n\r\nwho?"));
    let begun = Instant::now();
    let client = client::<A>(Options::default());
    let error = A::block_on(client.connect(&format!("ws://{address}/"))).unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let Error::Handshake { error, response, .. } = error else { panic!("{error:?}") };
    assert_eq!(error, HandshakeError::Status { status: 401 });
    let response = response.unwrap();
    assert_eq!((response.status(), response.body()), (401, &b"who?"[..]));
    refusing.join().unwrap();
}
