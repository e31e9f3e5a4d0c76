//! Replays vectors against the core.

use core::time::Duration;

use bytes::{Buf, Bytes};
use bytestring::ByteString;
use tidegate_core::deflate::DeflateParams;
use tidegate_core::{
    Chunk, CloseCode, CloseFrame, Config, Connection, Event, Message, MessageKind, Role, Timestamp,
    Transport, Watermarks,
};

use super::chunking::Cut;
use super::classes;
use super::expect::{self, PingLog};
use super::format::{Settings, Vector};
use super::opening;
use super::steps::{EventPattern, Step, Wish};
use crate::frames::{Frame, opcode};
use crate::inflate::Inflater;

/// Replays a vector with all its splits. Returns the failure, once for each split.
pub(super) fn replay(vector: &Vector) -> Vec<String> {
    let replays = vector.chunking.cuts().into_iter().filter_map(|cut| {
        replay_cut(vector, cut).err().map(|fault| format!("[{}]: {fault}", cut.name()))
    });
    replays.collect()
}

fn replay_cut(vector: &Vector, cut: Cut) -> Result<(), String> {
    if vector.is_handshake {
        return opening::replay(vector, cut);
    }
    let config = config(&vector.settings)?;
    let mut connection = match vector.role {
        Role::Client => Connection::client(Timestamp::ZERO, config, SEED),
        Role::Server => Connection::server(Timestamp::ZERO, config),
    };
    if let Some(params) = vector.settings.deflate {
        connection = connection.with_deflate(params);
    }
    let mut session = Session::new(connection, Timestamp::ZERO, cut, &vector.settings);
    if let Some(params) = vector.settings.deflate {
        session = session.with_deflate(params);
    }
    for (index, step) in vector.steps.iter().enumerate() {
        session.step(step).map_err(|fault| format!("step {}: {fault}", index + 1))?;
    }
    Ok(())
}

/// The core's configuration. What the vector leaves out is off or unlimited.
pub(super) fn config(settings: &Settings) -> Result<Config, String> {
    let marks = |marks: Option<(usize, usize)>| match marks {
        None => Watermarks::UNLIMITED,
        Some((high, low)) => Watermarks::new(high, low),
    };
    let time = |millis: Option<usize>| millis.map(|millis| Duration::from_millis(millis as u64));
    Config::builder()
        .message_marks(marks(settings.messages))
        .byte_marks(marks(settings.bytes))
        .send_marks(Watermarks::UNLIMITED)
        .max_message_size(settings.max_message_size)
        .max_frame_size(settings.max_frame_size)
        .validate_utf8(settings.utf8_validation)
        .surface_control(settings.report_control)
        .ping_interval(time(settings.ping_interval))
        .pong_timeout(time(settings.pong_timeout))
        .close_timeout(time(settings.close_timeout))
        .build()
        .map_err(|error| error.to_string())
}

/// One replay of an open connection.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
    now: Timestamp,
    cut: Cut,
    pings: PingLog,
    /// Whether text is validated. Only then may it arrive as text.
    validates: bool,
    /// The core's ping that the peer has received.
    pinged: Option<Vec<u8>>,
    /// The peer's inflater, if compression was negotiated.
    inflater: Option<Inflater>,
}

impl Session {
    pub(super) fn new(
        connection: Connection,
        now: Timestamp,
        cut: Cut,
        settings: &Settings,
    ) -> Self {
        Self {
            connection,
            now,
            cut,
            pings: PingLog::default(),
            validates: settings.utf8_validation,
            pinged: None,
            inflater: None,
        }
    }

    /// `early` are bytes that were handed over at the end of the handshake.
    pub(super) fn with_early_data(mut self, early: &[u8]) -> Self {
        self.pings.receive(early);
        self
    }

    /// Makes the peer inflate as negotiated.
    pub(super) fn with_deflate(mut self, params: DeflateParams) -> Self {
        let (window_bits, no_takeover) = match self.connection.role() {
            Role::Client => (params.client_max_window_bits, params.client_no_context_takeover),
            Role::Server => (params.server_max_window_bits, params.server_no_context_takeover),
        };
        self.inflater = Some(Inflater::new(window_bits, !no_takeover));
        self
    }

    pub(super) fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Receive { data, every } => self.receive(&data.bytes(), *every),
            Step::EndOfStream => self.connection.handle_eof(self.now),
            Step::Advance(millis) => {
                self.now = self.now + Duration::from_millis(*millis as u64);
                let is_due =
                    self.connection.poll_timeout().is_some_and(|deadline| deadline <= self.now);
                self.connection.handle_timeout(self.now);
                if is_due {
                    // A deadline that has passed asks for a last look, which finds nothing here.
                    self.connection.handle_timeout(self.now + Duration::from_millis(1));
                }
            }
            Step::Take { event, times } => {
                for index in 0..*times {
                    self.take(event).map_err(|fault| match times {
                        1 => fault,
                        _ => format!("event {} of {times}: {fault}", index + 1),
                    })?;
                }
            }
            Step::Send { wish, refused } => self.send(wish, *refused)?,
            Step::AnswerPing => self.answer_ping()?,
            _ => self.expect(step)?,
        }
        // Deadlines that start in this call start exactly now.
        self.connection.handle_timeout(self.now);
        Ok(())
    }

    fn receive(&mut self, bytes: &[u8], every: Option<usize>) {
        self.pings.receive(bytes);
        let cut = every.map_or(self.cut, Cut::Every);
        let mut rest = bytes;
        for length in cut.pieces(bytes.len()) {
            let (piece, later) = rest.split_at(length);
            rest = later;
            self.connection.handle_input(self.now, piece);
            self.connection.handle_timeout(self.now);
        }
    }

    fn take(&mut self, pattern: &EventPattern) -> Result<(), String> {
        let event = self.connection.poll_event();
        self.connection.handle_timeout(self.now);
        let event = event.ok_or_else(|| format!("expected {pattern:?}, there is no event"))?;
        expect::event(pattern, &event, self.validates)
    }

    fn send(&mut self, wish: &Wish, refused: bool) -> Result<(), String> {
        let seen = self.try_send(wish);
        match (seen, refused) {
            (Ok(()), false) | (Err(_), true) => Ok(()),
            (Ok(()), true) => Err(format!("expected {wish:?} to be refused, it was accepted")),
            (Err(error), false) => Err(format!("expected {wish:?} to be accepted: {error}")),
        }
    }

    fn try_send(&mut self, wish: &Wish) -> Result<(), String> {
        let connection = &mut self.connection;
        match wish {
            Wish::Text(data) => {
                let text = ByteString::try_from(data.bytes()).map_err(|_| "not UTF-8")?;
                connection.send(Message::Text(text)).map_err(|error| error.to_string())
            }
            Wish::Binary(data) => connection.send(data.bytes()).map_err(|error| error.to_string()),
            Wish::Ping(data) => connection
                .ping(self.now, data.bytes())
                .map(|_| ())
                .map_err(|error| error.to_string()),
            // The API uses this code for an empty Close. The code itself cannot be sent.
            Wish::Close(Some((code, _))) if CloseCode::from(*code) == CloseCode::NO_STATUS => {
                Err("1005 is not sent".into())
            }
            Wish::Close(frame) => {
                let frame = frame
                    .as_ref()
                    .map(|(code, reason)| CloseFrame::new(CloseCode::from(*code), reason.as_str()));
                connection.close(self.now, frame).map_err(|error| error.to_string())
            }
            Wish::Fragment { opcode, data, fin } => {
                // The format gives every fragment the opcode of its message.
                let kind = match *opcode {
                    opcode::TEXT => MessageKind::Text,
                    opcode::BINARY => MessageKind::Binary,
                    other => return Err(format!("no message has the opcode {other}")),
                };
                let chunk = Chunk { kind, payload: Bytes::from(data.bytes()), last: *fin };
                connection.send_chunk(chunk).map_err(|error| error.to_string())
            }
        }
    }

    fn answer_ping(&mut self) -> Result<(), String> {
        let payload = self.pinged.take().ok_or("there is no ping to answer")?;
        let pong = Frame::new(opcode::PONG, payload);
        let pong = match self.connection.role() {
            Role::Server => pong.masked([1, 2, 3, 4]),
            Role::Client => pong,
        };
        self.receive(&pong.encode(), None);
        Ok(())
    }

    fn expect(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::TakeNone => match self.connection.poll_event() {
                None => Ok(()),
                Some(event) => Err(format!("expected no event, there is {event:?}")),
            },
            Step::ExpectFrames { frames, distinct_masks, any_order } => {
                let seen = self.drain_frames()?;
                expect::frames(frames, &seen, *any_order)?;
                if *distinct_masks { expect::distinct_masks(&seen) } else { Ok(()) }
            }
            Step::ExpectBytes(data) => expect::bytes(&data.bytes(), &self.drain()),
            Step::Discard => {
                self.drain();
                Ok(())
            }
            Step::ExpectPongs { last, max_bytes } => {
                let output = self.drain();
                if output.len() > *max_bytes {
                    let seen = output.len();
                    return Err(format!("expected at most {max_bytes} bytes, there are {seen}"));
                }
                let frames = self.frames(&output)?;
                self.pings.check_pongs(&frames)?;
                expect::last_pong(&frames, &last.bytes())
            }
            Step::ExpectMessage { opcode, data } => {
                let frames = self.drain_frames()?;
                expect::message(*opcode, &data.bytes(), &frames, self.inflater.as_mut())
            }
            Step::ExpectPing => {
                self.pinged = Some(expect::ping(self.drain_frames()?)?);
                Ok(())
            }
            Step::ExpectError { classes, codes } => self.expect_error(classes, codes),
            Step::WantsRead(expected) => {
                expect::equal("wants_read", expected, &self.connection.wants_input())
            }
            Step::WantsClose(expected) => {
                let seen = self.connection.transport() != Transport::KeepOpen;
                expect::equal("wants_close", expected, &seen)
            }
            Step::Queued(expected) => {
                expect::equal("queued", expected, &self.connection.queued_messages())
            }
            Step::ExpectClosed { code, clean } => match self.connection.closed() {
                None => Err("expected the connection to be closed, it is not".into()),
                Some(closed) => {
                    let seen = (closed.code().as_u16(), closed.is_clean());
                    expect::equal("closed (code, clean)", &(*code, *clean), &seen)
                }
            },
            _ => Err(format!("no step for an open connection: {step:?}")),
        }
    }

    fn expect_error(&mut self, classes: &[String], codes: &[Option<u16>]) -> Result<(), String> {
        let failure = match self.connection.poll_event() {
            Some(Event::Closed(closed)) => closed.failure(),
            other => return Err(format!("expected the failure {classes:?}, there is {other:?}")),
        };
        let failure = failure.ok_or("expected a failure, the connection closed cleanly")?;
        let class = classes::of_failure(failure);
        if !classes::is_expected(class, classes) {
            return Err(format!("expected the failure {classes:?}, there is {class}: {failure}"));
        }
        let mut frames = self.drain_frames()?;
        let pongs = frames.iter().take_while(|frame| frame.opcode == opcode::PONG).count();
        let pongs: Vec<_> = frames.drain(..pongs).collect();
        self.pings.check_pongs(&pongs)?;
        expect::close(codes, &frames)
    }

    fn drain(&mut self) -> Vec<u8> {
        let mut drained = Vec::new();
        let output = self.connection.output();
        while output.has_remaining() {
            let chunk = output.chunk();
            drained.extend_from_slice(chunk);
            let length = chunk.len();
            output.advance(length);
        }
        drained
    }

    fn drain_frames(&mut self) -> Result<Vec<Frame>, String> {
        let output = self.drain();
        self.frames(&output)
    }

    /// The frames of the output, masked or not as the role requires.
    fn frames(&self, output: &[u8]) -> Result<Vec<Frame>, String> {
        let frames = Frame::parse_all(output).map_err(|error| format!("in our output: {error}"))?;
        let masks = self.connection.role() == Role::Client;
        match frames.iter().find(|frame| frame.key.is_some() != masks) {
            Some(frame) => Err(format!("the mask is wrong for the role: {frame:?}")),
            None => Ok(frames),
        }
    }
}

/// Fixed, so that every replay is the same.
pub(super) const SEED: [u8; 32] = [7; 32];
