//! The driver's WebSocket on a scripted stream: any reads and writes, waits, faults, cancelled
//! calls, messages as streams, split and put together again. Whatever waits is woken, all calls end,
//! and messages are those of the core alone.
#![no_main]

use core::future::poll_fn;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidegate_core::{CloseCode, Event, Message, MessageKind, Prepared};
use tidegate_driver::{Error, WebSocket};
use tidegate_fuzz::driving::{Expected, Setup};
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
    SendPrepared(u16),
    /// So many chunks of a message, or slices of so many bytes.
    Read(u8, Option<u8>),
    /// So many chunks of so many bytes, and the end of the message or not.
    Write {
        text: bool,
        chunks: u8,
        length: u16,
        finish: bool,
    },
    /// Split, driven for so many polls, and put together again.
    Reunite {
        polls: u8,
        send: Option<u16>,
        recv: bool,
        cloned: bool,
    },
    Ping,
    Pong,
    ReadAhead,
    Drive,
    Close,
    Abort,
}

fuzz_target!(|case: Case| {
    let setup = &case.setup;
    let expected = setup.expected();
    let world = Shared::new(setup.input(), case.steps.clone());
    let socket = WebSocket::from_connection(world.clone(), world.clone(), setup.connection());
    let mut run = Run { world, expected, sent: 0, may_drop: false, over: 0 };
    let mut socket = Some(socket);
    for (call, patience) in &case.calls {
        let patience = (*patience & 0x80 != 0).then_some(usize::from(*patience & 0x0F));
        if let Call::Reunite { polls, send, recv, cloned } = *call {
            socket = socket.map(|socket| run.reunite(socket, polls, send, recv, cloned));
        } else if let Some(socket) = &mut socket {
            run.act(socket, *call, patience);
        }
    }
    run.finish(socket.as_mut().expect("it was put together"));
    run.check(setup);
});

type Socket = WebSocket<Shared, Shared>;

struct Run {
    world: Shared,
    /// What is to be received yet.
    expected: Expected,
    /// How many messages were accepted for certain, at least.
    sent: usize,
    /// Messages may be missing: a close drops them, an abort does.
    may_drop: bool,
    /// How often the end was told.
    over: usize,
}

impl Run {
    fn act(&mut self, socket: &mut Socket, call: Call, patience: Option<usize>) {
        let world = self.world.clone();
        match call {
            Call::Recv => {
                let received = world.run(socket.recv(), patience);
                self.took(received);
            }
            Call::TryRecv => {
                if let Some(message) = socket.try_recv() {
                    self.took(Some(Ok(Some(message))));
                }
            }
            Call::NextEvent => match world.run(socket.next_event(), patience) {
                Some(Ok(Some(Event::Message(message)))) => self.took(Some(Ok(Some(message)))),
                Some(Ok(Some(Event::Chunk(chunk)))) => {
                    self.is_expected(|expected| {
                        expected.chunk(chunk.kind, &chunk.payload, chunk.last);
                    });
                }
                Some(Ok(Some(other))) => panic!("{other:?}"),
                Some(Ok(None)) => self.took(Some(Ok(None))),
                Some(Err(error)) => self.took(Some(Err(error))),
                None => {}
            },
            Call::Read(count, slice) => {
                let read = world.run(self.read(socket, count, slice), patience);
                if let Some(Err(error)) = read {
                    self.took(Some(Err(error)));
                } else if let Some(Ok(false)) = read {
                    self.took(Some(Ok(None)));
                }
            }
            Call::SendPrepared(length) => {
                let prepared = Prepared::new(vec![0x50; length.into()]);
                let sent = world.run(socket.send(&prepared), patience);
                self.sent += usize::from(matches!(sent, Some(Ok(()))));
            }
            Call::Write { text, chunks, length, finish } => {
                let kind = if text { MessageKind::Text } else { MessageKind::Binary };
                let writing = async {
                    let mut writer = socket.write_message(kind);
                    for _ in 0..chunks % 8 {
                        writer.send_chunk(vec![0x57; length.into()]).await?;
                    }
                    if finish { writer.finish().await } else { Err(Error::Closing) }
                };
                let written = world.run(writing, patience);
                self.sent += usize::from(matches!(written, Some(Ok(()))));
            }
            Call::Reunite { .. } => {}
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
                // The keepalive goes on forever.
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

    /// Reads a part of a message, or all of it. False: there is none any more.
    async fn read(
        &mut self,
        socket: &mut Socket,
        count: u8,
        slice: Option<u8>,
    ) -> Result<bool, Error> {
        let Some(mut reader) = socket.read_message().await? else { return Ok(false) };
        assert_eq!(self.over, 0, "nothing comes behind the end");
        self.is_expected(|expected| expected.begin(reader.kind()));
        for _ in 0..count {
            let piece = if let Some(slice) = slice {
                let mut buffer = vec![0; usize::from(slice) + 1];
                let slice = poll_fn(|cx| reader.poll_read_slice(cx, &mut buffer)).await;
                let Ok(count) = slice else { break };
                (count > 0).then(|| buffer[..count].to_vec())
            } else {
                reader.next_chunk().await?.map(|piece| piece.to_vec())
            };
            self.is_expected(|expected| expected.read(piece.as_deref()));
            if piece.is_none() {
                break;
            }
        }
        Ok(true)
    }

    /// In parts for a while: nothing is lost by that.
    fn reunite(
        &mut self,
        socket: Socket,
        polls: u8,
        send: Option<u16>,
        recv: bool,
        cloned: bool,
    ) -> Socket {
        let (sender, mut receiver, mut driver) = socket.split();
        if let Some(length) = send {
            let sent = sender.try_send(vec![0x55; length.into()]);
            self.sent += usize::from(sent.is_ok());
        }
        let _ = self.world.run_to_rest(&mut driver, usize::from(polls % 32));
        if recv && let Some(message) = receiver.try_recv() {
            self.took(Some(Ok(Some(message))));
        }
        let clone = cloned.then(|| sender.clone());
        let parts = (sender, receiver, driver);
        let parts = if let Some(clone) = clone {
            let error = WebSocket::reunite(parts.0, parts.1, parts.2).expect_err("a clone is left");
            drop(clone);
            error.into_parts()
        } else {
            parts
        };
        WebSocket::reunite(parts.0, parts.1, parts.2).expect("these are all the parts")
    }

    fn is_expected(&mut self, check: impl FnOnce(&mut Expected)) {
        if !self.may_drop {
            check(&mut self.expected);
        }
    }

    fn took(&mut self, received: Option<Result<Option<Message>, Error>>) {
        match received {
            Some(Ok(Some(message))) => {
                assert_eq!(self.over, 0, "nothing comes behind the end");
                self.is_expected(|expected| expected.message(&message));
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
    fn finish(&mut self, socket: &mut Socket) {
        while self.over == 0 {
            let received = self.world.run(socket.recv(), None);
            self.took(received);
        }
        let again = self.world.run(socket.recv(), None);
        assert!(matches!(again, Some(Ok(None))), "behind the end there is nothing: {again:?}");
        // The stream may still be open: the end is told when our Close is written.
        assert!(socket.closed().is_some(), "it says why");
    }

    fn check(self, setup: &Setup) {
        let written = self.world.look(|world| world.written.clone());
        let is_whole = self.world.look(|world| !world.has_failed);
        let (messages, is_closed) = setup.read_back(&written);
        if is_whole && !self.may_drop && is_closed {
            assert!(messages >= self.sent, "what was accepted is written before the Close");
        }
    }
}
