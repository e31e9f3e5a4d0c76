//! Close codes: 1000, 1001 and an empty Close are a normal end, all others are an error.

use futures_util::StreamExt;
use tidegate_core::{CloseCode, Config, ControlError, Message, Role};
use tidegate_driver::Error;

use crate::link::Link;
use crate::peer::Peer;
use crate::scene::{Scene, s};

type Received = Result<Option<Message>, Error>;

/// What `recv` returns when the peer closes like this: on a whole connection, split, and as a stream.
fn ends(close: impl Fn(&Peer)) -> [Received; 3] {
    [0, 1, 2].map(|way| {
        let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Client, Config::default());
        close(&scene.peer);
        let (told, result) = std::sync::mpsc::channel();
        if way == 1 {
            let (sender, mut receiver) = scene.split(socket);
            scene.ours("receives", async move {
                told.send(receiver.recv().await).unwrap();
                assert!(matches!(receiver.recv().await, Ok(None)), "told once");
                drop(sender);
            });
        } else if way == 0 {
            scene.ours("receives", async move {
                told.send(socket.recv().await).unwrap();
                assert!(matches!(socket.recv().await, Ok(None)), "told once");
            });
        } else {
            scene.ours("receives", async move {
                told.send(socket.next().await.transpose()).unwrap();
                assert!(socket.next().await.is_none(), "told once");
            });
        }
        scene.within(s(2));
        result.recv().unwrap()
    })
}

#[test]
fn a_normal_end_is_not_an_error() {
    for code in [1000, 1001] {
        for end in ends(|peer| peer.close(code, "bye")) {
            assert!(matches!(end, Ok(None)), "{code}: {end:?}");
        }
    }
    for end in ends(Peer::close_empty) {
        assert!(matches!(end, Ok(None)), "{end:?}");
    }
}

#[test]
fn any_other_code_is_an_error_with_code_and_reason() {
    for code in [1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4000, 4999] {
        for end in ends(|peer| peer.close(code, "because")) {
            let Err(Error::Closed(closed)) = &end else { panic!("{code}: {end:?}") };
            assert_eq!((closed.code().as_u16(), closed.reason()), (code, "because"));
            assert!(closed.is_by_peer());
            let text = end.unwrap_err().to_string();
            assert!(text.contains(&code.to_string()) && text.contains("because"), "{text}");
        }
    }
}

/// We close with our own code, and the peer repeats it: a normal end.
#[test]
fn the_echo_of_our_own_code_is_not_an_error() {
    let (mut scene, socket) = Scene::new(Link::FINE, Role::Client, Config::default());
    let (sender, mut receiver) = scene.split(socket);
    scene.ours("closes", async move {
        sender.begin_close(CloseCode::from(4000), "mine").unwrap();
        assert_eq!(receiver.recv().await.unwrap(), None);
    });
    scene.within(s(2));
    let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Client, Config::default());
    scene.ours("closes", async move {
        let closed = socket.close(CloseCode::INTERNAL_ERROR, "mine").await.unwrap();
        assert_eq!(closed.code(), CloseCode::INTERNAL_ERROR);
        assert_eq!(socket.recv().await.unwrap(), None);
    });
    scene.within(s(2));
}

/// A code that must not be sent: the error names all allowed codes.
#[test]
fn the_error_lists_exactly_the_allowed_codes() {
    let text = ControlError::InvalidCode { code: CloseCode::from(999) }.to_string();
    for bound in ["1003", "1007", "1014", "3000", "4999"] {
        assert!(text.contains(bound), "{bound} is missing: {text}");
    }
}

/// `Closed` can be returned, boxed and found in a chain as an error. (The inherent constant hides the
/// trait's, and exists only for errors, so this compiles either way.)
#[test]
fn closed_is_an_error() {
    use core::marker::PhantomData;
    struct Ask<T>(PhantomData<T>);
    impl<T: core::error::Error> Ask<T> {
        const IS_ERROR: bool = true;
    }
    trait Otherwise {
        const IS_ERROR: bool = false;
    }
    impl<T> Otherwise for Ask<T> {}
    let are_errors =
        [Ask::<Error>::IS_ERROR, Ask::<u8>::IS_ERROR, Ask::<tidegate_core::Closed>::IS_ERROR];
    assert_eq!(are_errors, [true, false, true], "an error, a number and `Closed`");
}

/// An application's function can return the error with `?`.
#[test]
fn the_usual_loop_tells_an_error_from_a_normal_end() {
    async fn session(mut socket: crate::scene::Socket) -> Result<usize, Error> {
        let mut count = 0;
        while socket.recv().await?.is_some() {
            count += 1;
        }
        Ok(count)
    }
    for (code, is_fine) in [(1000, true), (1008, false)] {
        let (mut scene, socket) = Scene::new(Link::FINE, Role::Client, Config::default());
        scene.peer.message(b"last words");
        scene.peer.close(code, "");
        scene.ours("loops", async move {
            assert_eq!(session(socket).await.is_ok(), is_fine, "code {code}");
        });
        scene.within(s(2));
    }
}
