//! The driver's WebSocket on a scripted stream: any reads and writes, waits, faults, cancelled
//! calls. Whatever waits is woken, all calls end, and messages are those of the core alone.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidegate_core::driver::{Error, WebSocket};
use tidegate_core::testing::{Frame, opcode};
use tidegate_core::{CloseCode, Event, Message, Role};
use tidegate_fuzz::driving::Setup;
use tidegate_fuzz::script::{Shared, Stopped};

#[derive(Arbitrary, Debug)]
struct Case {
    setup: Setup,
    calls: Vec<(Call, u8)>,
    steps: Vec<u8>,
}

/// A call, which the byte beside it cancels after so many polls, or does not.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Call {
    Recv,
    TryRecv,
    NextEvent,
    Send(u16),
    Feed(u16),
    Flush,
    TrySend(u16),
    Ping,
    Pong,
    ReadAhead,
    Drive,
    Close,
    Abort,
}

fuzz_target!(|case: Case| {
    let (setup, role) = (&case.setup, case.setup.role());
    let expected = setup.expected();
    let world = Shared::new(setup.input(), case.steps.clone());
    let socket = WebSocket::from_connection(world.clone(), world.clone(), setup.connection());
    let mut run = Run { socket, world, received: Vec::new(), sent: 0, may_drop: false, over: 0 };
    for (call, patience) in &case.calls {
        let patience = (*patience & 0x80 != 0).then_some(usize::from(*patience & 0x0F));
        run.act(*call, patience);
    }
    run.finish();
    run.check(&expected, role);
});

struct Run {
    socket: WebSocket<Shared, Shared>,
    world: Shared,
    received: Vec<Message>,
    /// How many messages were accepted for certain, at least.
    sent: usize,
    /// Messages may be missing: a close drops them, an abort does.
    may_drop: bool,
    /// How often the end was told.
    over: usize,
}

impl Run {
    fn act(&mut self, call: Call, patience: Option<usize>) {
        let (socket, world) = (&mut self.socket, self.world.clone());
        match call {
            Call::Recv => {
                let received = world.run(socket.recv(), patience);
                self.took(received);
            }
            Call::TryRecv => self.received.extend(socket.try_recv()),
            Call::NextEvent => {
                let event = world.run(socket.next_event(), patience);
                let message = event.map(|event| event.map(|event| event.map(into_message)));
                self.took(message);
            }
            Call::Send(length) => {
                let sent = world.run(socket.send(vec![0x53; length.into()]), patience);
                self.sent += usize::from(matches!(sent, Some(Ok(()))));
            }
            Call::Feed(length) => {
                let sent = world.run(socket.feed(vec![0x46; length.into()]), patience);
                self.sent += usize::from(matches!(sent, Some(Ok(()))));
            }
            Call::Flush => drop(world.run(socket.flush(), patience)),
            Call::TrySend(length) => {
                let sent = socket.try_send(vec![0x54; length.into()]);
                self.sent += usize::from(sent.is_ok());
            }
            Call::Ping => drop(world.run(socket.ping(), patience)),
            Call::Pong => drop(world.run(socket.pong("pong"), patience)),
            Call::ReadAhead => drop(world.run(socket.read_ahead(), patience)),
            // It ends only with the stream, or rests behind a closed gate.
            Call::Drive => {
                // The keepalive goes on for ever.
                let driven = world.run_to_rest(socket.drive(), patience.unwrap_or(30));
                if driven == Err(Stopped::Rested) {
                    let connection = socket.connection();
                    assert!(!connection.wants_input(), "what could be read was read");
                    let is_written =
                        !connection.wants_output() || world.look(|world| world.has_failed);
                    assert!(is_written, "what could be written was written");
                }
            }
            Call::Close => {
                self.may_drop = true;
                drop(world.run(socket.close(CloseCode::NORMAL, "done"), patience));
            }
            Call::Abort => {
                self.may_drop = true;
                socket.abort();
            }
        }
    }

    fn took(&mut self, received: Option<Result<Option<Message>, Error>>) {
        match received {
            Some(Ok(Some(message))) => {
                assert_eq!(self.over, 0, "nothing comes behind the end");
                self.received.push(message);
            }
            Some(Err(_)) => {
                assert_eq!(self.over, 0, "an error is told once");
                self.over += 1;
            }
            Some(Ok(None)) => self.over += 1,
            None => {}
        }
    }

    /// All that is left, to the end.
    fn finish(&mut self) {
        while self.over == 0 {
            let received = self.world.run(self.socket.recv(), None);
            self.took(received);
        }
        let again = self.world.run(self.socket.recv(), None);
        assert!(matches!(again, Some(Ok(None))), "behind the end there is nothing: {again:?}");
        assert!(self.socket.get_ref().is_none(), "the stream is closed");
        assert!(self.socket.closed().is_some(), "it says why");
    }

    fn check(self, expected: &[Message], role: Role) {
        let is_whole = self.world.look(|world| !world.has_failed);
        if !self.may_drop {
            assert!(expected.starts_with(&self.received), "the messages of the core, in order");
        }
        let written = self.world.look(|world| world.written.clone());
        let mut rest = written.as_slice();
        let mut messages = 0;
        let mut is_closed = false;
        while let Some((frame, taken)) = Frame::parse(rest).unwrap() {
            let may_follow = frame.opcode == opcode::PONG;
            assert!(!is_closed || may_follow, "only pongs follow our Close");
            assert_eq!(frame.key.is_some(), role == Role::Client);
            messages += usize::from(frame.opcode == opcode::BINARY);
            is_closed |= frame.opcode == opcode::CLOSE;
            rest = &rest[taken..];
        }
        if is_whole && !self.may_drop && is_closed {
            assert!(messages >= self.sent, "what was accepted is written before the Close");
            assert!(rest.is_empty(), "whole frames");
        }
    }
}

fn into_message(event: Event) -> Message {
    match event {
        Event::Message(message) => message,
        other => panic!("{other:?}"),
    }
}
