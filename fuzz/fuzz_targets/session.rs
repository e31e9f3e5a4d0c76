//! Valid sessions against the reference model, and changed ones against what must hold for any.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidegate_core::testing::{Frame, opcode};
use tidegate_core::testing::{Model, Rules, Sent, Taken};
use tidegate_core::{Closed, Connection, Event, Message, Stats, Timestamp, Transport};
use tidegate_fuzz::session::{Item, Mutation, encode_with, mutate};
use tidegate_fuzz::settings::Settings;
use tidegate_fuzz::{cut, drain, joined};

#[derive(Arbitrary, Debug)]
struct Case {
    settings: Settings,
    close: bool,
    seed: u8,
    /// Between the pieces: how many events are taken, and whether output is written.
    takes: Vec<u8>,
    mutations: Vec<Mutation>,
    items: Vec<Item>,
}

fuzz_target!(|case: Case| {
    // The limits on sizes are the business of other targets; no clock runs here.
    let settings =
        Settings { size: 0, frame: 0, times: case.settings.times & 0x03, ..case.settings };
    let mut peer = settings.params().map(|_| settings.peer());
    let (mut bytes, sent, begins) =
        encode_with(&case.items, case.close, settings.role(), peer.as_mut());
    if case.mutations.is_empty() && !settings.has(Settings::CHUNKS) {
        compare(&case, &settings, &bytes, sent);
        return;
    }
    let plain = replay(&case, &settings, &bytes, 0);
    // Of pongs in order, those that wait behind messages join; here none waits.
    let mut received = receive(&case, &settings, &bytes);
    if settings.times % 4 == 2 {
        received.answers.clone_from(&plain.answers);
    }
    assert_eq!(plain, received, "event by event");
    let changed = mutate(&mut bytes, &begins, &case.mutations);
    let whole = replay(&case, &settings, &bytes, 0);
    assert_eq!(whole, replay(&case, &settings, &bytes, 1), "byte by byte");
    let longest = 2 + usize::from(case.seed % 60);
    assert_eq!(whole, replay(&case, &settings, &bytes, longest), "in pieces");

    // What was complete before the change is as it was.
    let safe = sent.iter().filter(|(end, _)| *end <= changed).filter(|(_, sent)| match sent {
        Sent::Message(_) => true,
        Sent::Ping(_) => settings.has(Settings::SURFACE) || settings.times % 4 == 3,
        Sent::Pong(_) => settings.has(Settings::SURFACE),
        Sent::Close => false,
    });
    let safe = safe.count();
    assert!(whole.events.len() >= safe, "{} of {safe} events", whole.events.len());
    assert_eq!(whole.events[..safe], plain.events[..safe]);
});

/// All that can be seen of one replay.
#[derive(Debug, PartialEq)]
struct Seen {
    events: Vec<Event>,
    closed: Closed,
    answers: Vec<Frame>,
    stats: (u64, u64, u64, u64),
    transport: Transport,
}

fn replay(case: &Case, settings: &Settings, bytes: &[u8], longest: usize) -> Seen {
    let mut connection = settings.connection();
    let (mut events, mut output) = (Vec::new(), Vec::new());
    // The schedule of the application must not depend on the pieces: segments first.
    for segment in cut(bytes, case.seed.into(), 300) {
        for piece in cut(segment, case.seed.into(), longest) {
            connection.handle_input(Timestamp::ZERO, piece);
            check(&connection);
        }
        while let Some(event) = connection.poll_event() {
            events.push(event);
            check(&connection);
        }
        drain(&mut connection, usize::MAX, &mut output);
    }
    seen(settings, connection, events, output)
}

/// What is left, to the end, and all that was seen.
fn seen(
    settings: &Settings,
    mut connection: Connection,
    mut events: Vec<Event>,
    mut output: Vec<u8>,
) -> Seen {
    connection.handle_eof(Timestamp::ZERO);
    events.extend(core::iter::from_fn(|| connection.poll_event()));
    drain(&mut connection, usize::MAX, &mut output);
    let Some(Event::Closed(closed)) = events.pop() else { panic!("the end is the last event") };
    assert!(!events.iter().any(|event| matches!(event, Event::Closed(_))), "and the only one");
    let mut answers = Frame::parse_all(&output).expect("whole frames go out");
    let closes = answers.iter().filter(|frame| frame.opcode == opcode::CLOSE).count();
    assert!(closes <= 1 && (closes == 0 || answers.last().unwrap().opcode == opcode::CLOSE));
    if settings.has(Settings::CHUNKS) && settings.times % 4 == 2 {
        // Pongs in order join while they wait behind chunks, whose number depends on the pieces.
        answers.clear();
    }
    let Stats { messages_in, pings_in, pongs_in, bytes_in, .. } = connection.stats();
    let stats = (messages_in, pings_in, pongs_in, bytes_in);
    Seen { events: joined(events), closed, answers, stats, transport: connection.transport() }
}

/// The same with events that are taken while the input is handed over.
fn receive(case: &Case, settings: &Settings, bytes: &[u8]) -> Seen {
    let mut connection = settings.connection();
    let (mut events, mut output) = (Vec::new(), Vec::new());
    for mut segment in cut(bytes, case.seed.into(), 300) {
        while let Some(event) = connection.receive(Timestamp::ZERO, &mut segment) {
            events.push(event);
            check(&connection);
        }
        assert!(segment.is_empty(), "without an event all of it is taken");
        drain(&mut connection, usize::MAX, &mut output);
    }
    seen(settings, connection, events, output)
}

fn check(connection: &Connection) {
    assert!(connection.queued_messages() <= connection.config().message_marks().high());
    assert!(!connection.wants_input() || connection.is_gate_open());
}

/// A valid session, step by step beside the model.
fn compare(case: &Case, settings: &Settings, bytes: &[u8], sent: Vec<(usize, Sent)>) {
    let mut core = settings.connection();
    let config = core.config().clone();
    let mut model = Model::new(Rules::from(&*config));
    let (mut pongs, mut expected_pongs) = (Vec::new(), Vec::new());
    let mut takes = case.takes.iter().cycle();
    let mut sent = sent.into_iter().peekable();
    let mut received = 0;
    for piece in cut(bytes, case.seed.into(), 1 + usize::from(case.seed)) {
        core.handle_input(Timestamp::ZERO, piece);
        received += piece.len();
        while let Some((_, sent)) = sent.next_if(|(end, _)| *end <= received) {
            model.receive(sent);
        }
        agree(&core, &model);
        let take = takes.next().copied().unwrap_or(0x8F);
        for _ in 0..take & 0x0F {
            assert_eq!(taken(&mut core), model.take());
            agree(&core, &model);
        }
        if take & 0x80 != 0 {
            answers(&mut core, &mut pongs);
            expected_pongs.append(&mut model.pongs);
            assert_eq!(pongs, expected_pongs);
        }
    }
    core.handle_eof(Timestamp::ZERO);
    model.end();
    agree(&core, &model);
    loop {
        let event = taken(&mut core);
        assert_eq!(event, model.take());
        agree(&core, &model);
        if event.is_none() {
            break;
        }
    }
}

fn agree(core: &Connection, model: &Model) {
    assert_eq!(core.queued_messages(), model.queued_messages(), "messages");
    assert_eq!(core.queued_bytes(), model.queued_bytes(), "bytes");
    assert_eq!(core.wants_input(), model.wants_input(), "wants_input");
    assert_eq!(core.stats().times_closed, model.times_closed, "times closed");
}

fn taken(core: &mut Connection) -> Option<Taken> {
    core.poll_event().map(|event| match event {
        // The model knows no switch for that: it is the same text.
        Event::Message(Message::UncheckedText(bytes)) => {
            let text = String::from_utf8(bytes.to_vec()).expect("ASCII was sent");
            Taken::Message(Message::text(text))
        }
        Event::Message(message) => Taken::Message(message),
        Event::Ping(payload) => Taken::Ping(payload.to_vec()),
        Event::Pong(payload) => Taken::Pong(payload.to_vec()),
        Event::Closed(_) => Taken::Closed,
        other => panic!("{other:?}"),
    })
}

fn answers(core: &mut Connection, pongs: &mut Vec<Vec<u8>>) {
    let mut output = Vec::new();
    drain(core, usize::MAX, &mut output);
    let frames = Frame::parse_all(&output).expect("whole frames go out");
    pongs
        .extend(frames.into_iter().filter(|frame| frame.opcode == opcode::PONG).map(|f| f.payload));
}
