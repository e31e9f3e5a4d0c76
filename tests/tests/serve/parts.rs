//! The limit, the counters and the shutdown cover connections whose handlers have returned.

use core::time::Duration;
use std::time::Instant;

use tidegate_driver::ServeOptions;

use crate::{Adapter, Behaviour, LONG, Running, for_each_adapter};

for_each_adapter!(
    the_limit_holds_for_parts_in_other_tasks,
    the_limit_holds_for_a_socket_in_another_task,
    the_shutdown_waits_for_parts_in_other_tasks,
    the_shutdown_cuts_parts_in_other_tasks,
    a_part_that_is_kept_after_the_end_does_not_count,
);

fn two(behaviour: Behaviour) -> impl Fn() -> (ServeOptions, Behaviour) {
    move || (ServeOptions::builder().max_connections(2).build().unwrap(), behaviour)
}

fn holds<A: Adapter>(make: impl Fn() -> (ServeOptions, Behaviour)) {
    let (options, behaviour) = make();
    let server = Running::start::<A>(options, behaviour);
    let mut first = server.client().upgraded();
    let mut second = server.client().upgraded();
    first.echo();
    second.echo();
    let mut third = server.client();
    third.ask("/", &[]);
    assert!(third.is_silent(Duration::from_millis(200)));
    let counters = server.handle.counters();
    assert_eq!((counters.open, counters.opened), (2, 2));
    first.echo();
    drop(first);
    assert_eq!(third.status(), 101);
    third.echo();
    server.stop(Duration::ZERO);
}

fn the_limit_holds_for_parts_in_other_tasks<A: Adapter>() {
    holds::<A>(two(Behaviour::SplitAndReturn));
}

fn the_limit_holds_for_a_socket_in_another_task<A: Adapter>() {
    holds::<A>(two(Behaviour::SpawnAndReturn));
}

fn the_shutdown_waits_for_parts_in_other_tasks<A: Adapter>() {
    for behaviour in [Behaviour::SplitAndReturn, Behaviour::SpawnAndReturn] {
        let server = Running::start::<A>(ServeOptions::default(), behaviour);
        let mut client = server.client().upgraded();
        client.echo();
        server.handle.shutdown(LONG);
        client.goes_away();
        let counters = server.join();
        assert_eq!((counters.open, counters.cut), (0, 0), "{behaviour:?}");
    }
}

fn the_shutdown_cuts_parts_in_other_tasks<A: Adapter>() {
    for behaviour in [Behaviour::SplitAndReturn, Behaviour::SpawnAndReturn] {
        let server = Running::start::<A>(ServeOptions::default(), behaviour);
        let mut client = server.client().upgraded();
        client.echo();
        let begin = Instant::now();
        // The client does not answer the Close.
        let counters = server.stop(Duration::from_millis(300));
        assert!(begin.elapsed() >= Duration::from_millis(300));
        assert!(begin.elapsed() < Duration::from_secs(5));
        assert_eq!((counters.open, counters.cut), (0, 1), "{behaviour:?}");
        assert_eq!(client.frame().0, 0x88);
        assert!(client.is_at_end());
    }
}

fn a_part_that_is_kept_after_the_end_does_not_count<A: Adapter>() {
    for behaviour in [Behaviour::KeepSocket, Behaviour::KeepParts] {
        let server = Running::start::<A>(ServeOptions::default(), behaviour);
        let mut client = server.client().upgraded();
        client.send(0x88, &[]);
        assert_eq!(client.frame(), (0x88, vec![]), "{behaviour:?}");
        assert!(client.is_at_end());
        drop(client);
        server.wait(|counters| counters.opened == 1 && counters.open == 0);
        server.stop(LONG);
    }
}
