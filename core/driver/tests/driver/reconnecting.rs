//! What ends a client that connects again and again, how long it waits, and whom it tells.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use tidegate_core::handshake::HandshakeError;
use tidegate_driver::{Backoff, ConnectFault, Error, Options, Reconnect};

use crate::world::{Fate, World, addresses};

/// Waits of a second, nothing of them random.
fn even() -> Backoff {
    let second = Duration::from_secs(1);
    Backoff::builder().initial(second).maximum(second).jitter(0.0).build().unwrap()
}

/// The same, for so many attempts.
fn at_most(attempts: u32) -> Backoff {
    even().to_builder().attempts(attempts).build().unwrap()
}

fn status(status: u16, fields: &str) -> Fate {
    Fate::Answers(format!("HTTP/1.1 {status} No\r\n{fields}Content-Length: 0\r\n\r\n"))
}

fn refused() -> Fate {
    Fate::Refused(ErrorKind::ConnectionRefused)
}

/// What was told: failures and the wait.
type Told = Arc<Mutex<Vec<(u32, Option<Duration>)>>>;

fn reconnect(world: &World, options: Options, backoff: Backoff) -> (Reconnect<World>, Told) {
    let told = Told::default();
    let client = world.client(options);
    let connections = client.reconnect("ws://me:secret@a.test/?token=secret", backoff).unwrap();
    let connections = connections.on_failure({
        let told = told.clone();
        move |attempt| {
            assert!(!format!("{attempt:?} {}", attempt.error()).contains("secret"));
            told.lock().unwrap().push((attempt.failures(), attempt.next_wait()));
        }
    });
    (connections, told)
}

/// How many attempts were made until it ended, and with what.
fn end(world: &World, mut connections: Reconnect<World>) -> (usize, Error) {
    let error = world.run(connections.next()).unwrap().unwrap_err();
    assert!(world.run(connections.next()).is_none(), "it is over");
    assert!(!format!("{connections:?}").contains("secret"));
    (world.dialled.lock().unwrap().len(), error)
}

/// A wrong password stays wrong; a server that is overloaded, or is being replaced, comes back.
#[test]
fn a_status_that_will_not_change_ends_it() {
    for code in [200, 204, 302, 400, 401, 403, 404, 405, 410, 421, 426, 451, 501, 505] {
        let world = World::new(addresses(1), [status(code, "")]);
        let (connections, told) = reconnect(&world, Options::default(), even());
        let (attempts, error) = end(&world, connections);
        assert_eq!((attempts, &*told.lock().unwrap()), (1, &vec![(1, None)]), "{code}");
        let is_it = matches!(
            error,
            Error::Handshake { error: HandshakeError::Status { status }, .. } if status == code
        );
        assert!(is_it && !error.is_temporary(), "{error:?}");
    }
    for code in [408, 425, 429, 500, 502, 503, 504, 520, 599] {
        let world = World::new(addresses(1), [status(code, ""), status(401, "")]);
        let (connections, _) = reconnect(&world, Options::default(), even());
        assert_eq!(end(&world, connections).0, 2, "{code}");
    }
}

#[test]
fn an_answer_that_is_no_websocket_ends_it_and_silence_does_not() {
    for (fate, attempts) in [
        (Fate::Answers("SSH-2.0-OpenSSH_9.2\r\n".into()), 1),
        (Fate::Answers("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n".into()), 1),
        (refused(), 2),
        (Fate::Silent, 2),
        (Fate::Answers(String::new()), 2),
    ] {
        let world = World::new(addresses(1), [fate.clone(), status(404, "")]);
        let (connections, _) = reconnect(&world, Options::default(), even());
        assert_eq!(end(&world, connections).0, attempts, "{fate:?}");
    }
    // A name that has no address yet.
    let world = World::new(Vec::new(), [refused()]);
    let (connections, told) = reconnect(&world, Options::default(), at_most(3));
    let (_, error) = end(&world, connections);
    assert!(
        matches!(&error, Error::Connect(error) if matches!(error.fault(), ConnectFault::NoAddress))
    );
    assert_eq!(told.lock().unwrap().len(), 3);
}

#[test]
fn a_proxy_and_a_redirection_that_will_not_change_end_it() {
    for (answer, attempts) in [
        ("HTTP/1.1 407 Who\r\n\r\n", 1),
        ("HTTP/1.1 403 No\r\n\r\n", 1),
        ("HTTP/1.1 503 Later\r\n\r\n", 2),
    ] {
        let forbidden = Fate::Answers("HTTP/1.1 403 No\r\n\r\n".into());
        let world = World::new(addresses(1), [Fate::Answers(answer.into()), forbidden]);
        let options =
            Options::builder().proxy("http://proxy.test".parse().unwrap()).build().unwrap();
        let (connections, _) = reconnect(&world, options, even());
        assert_eq!(end(&world, connections).0, attempts, "{answer}");
    }
    let world = World::new(addresses(1), [status(302, "Location: /\r\n")]);
    let (connections, _) =
        reconnect(&world, Options::builder().redirects(3).build().unwrap(), even());
    let (_, error) = end(&world, connections);
    assert!(matches!(error, Error::Connect(_)) && !error.is_temporary(), "{error:?}");
}

#[test]
fn every_attempt_that_fails_is_told_with_what_comes_next() {
    let world = World::new(addresses(1), [refused()]);
    let backoff = even().to_builder().maximum(Duration::from_secs(3)).attempts(4).build().unwrap();
    let (connections, told) = reconnect(&world, Options::default(), backoff);
    let (attempts, error) = end(&world, connections);
    let wait = |seconds| Some(Duration::from_secs(seconds));
    let expected = [(1, wait(1)), (2, wait(2)), (3, wait(3)), (4, None)];
    assert_eq!((attempts, &**told.lock().unwrap()), (4, &expected[..]));
    assert!(matches!(error, Error::Connect(_)) && error.is_temporary(), "{error:?}");
    assert_eq!(world.now(), Duration::from_secs(6), "it waited as it said");
}

#[test]
fn the_application_decides_otherwise() {
    let fates = [status(404, ""), status(404, ""), status(503, "")];
    let world = World::new(addresses(1), fates);
    let (connections, _) = reconnect(&world, Options::default(), even());
    let asked = Arc::new(Mutex::new(0));
    let connections = connections.retry_if({
        let asked = asked.clone();
        move |error| {
            *asked.lock().unwrap() += 1;
            matches!(error, Error::Handshake { error: HandshakeError::Status { status: 404 }, .. })
        }
    });
    let (attempts, error) = end(&world, connections);
    assert_eq!((attempts, *asked.lock().unwrap()), (3, 3), "503 ends it here");
    assert!(error.is_temporary());

    // What is used up is used up.
    let world = World::new(addresses(1), [status(404, "")]);
    let (connections, _) = reconnect(&world, Options::default(), at_most(2));
    assert_eq!(end(&world, connections.retry_if(|_| true)).0, 2);
}

/// RFC 9110 §10.2.3.
#[test]
fn a_server_says_when_to_come_again() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let second = Duration::from_secs(1);
    for (code, field, longest, expected) in [
        (503, "Retry-After: 120\r\n", minutes(5), minutes(2) + second),
        (429, "Retry-After:  120 \r\n", minutes(5), minutes(2) + second),
        (503, "Retry-After: 3600\r\n", minutes(5), minutes(5) + second),
        (503, "Retry-After: 99999999999999999999999\r\n", minutes(5), minutes(5) + second),
        (503, "Retry-After: 120\r\n", Duration::ZERO, second),
        (503, "Retry-After: 0\r\n", minutes(5), second),
        (503, "Retry-After: +5\r\n", minutes(5), second),
        (503, "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", minutes(5), second),
        (503, "", minutes(5), second),
    ] {
        let world = World::new(addresses(1), [status(code, field), status(401, "")]);
        let backoff = even().to_builder().retry_after(longest).build().unwrap();
        let (connections, told) = reconnect(&world, Options::default(), backoff);
        assert_eq!(end(&world, connections).0, 2);
        assert_eq!(*told.lock().unwrap(), [(1, Some(expected)), (2, None)], "{code} {field}");
        assert_eq!(world.now(), expected);
    }
    // By default, too.
    let world = World::new(addresses(1), [status(503, "Retry-After: 7\r\n"), status(401, "")]);
    let (connections, _) = reconnect(&world, Options::default(), Backoff::default());
    end(&world, connections);
    assert!(world.now() >= Duration::from_secs(7));
}
