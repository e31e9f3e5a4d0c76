//! An executor that polls only tasks that were woken, unless their program is paused.

use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Waker};
use core::time::Duration;
use std::sync::Arc;
use std::task::Wake;

use tidegate_core::Timestamp;

use crate::world::{Party, World};

#[derive(Debug)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Task {
    name: &'static str,
    party: Party,
    /// The run does not wait for this task.
    is_background: bool,
    flag: Arc<Flag>,
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

/// The tasks of a run.
pub(crate) struct Run {
    world: World,
    tasks: Vec<Task>,
}

impl Run {
    pub(crate) fn new(world: &World) -> Self {
        Self { world: world.clone(), tasks: Vec::new() }
    }

    /// A task that the run waits for.
    pub(crate) fn spawn(
        &mut self,
        party: Party,
        name: &'static str,
        future: impl Future<Output = ()> + 'static,
    ) {
        self.add(party, name, false, future);
    }

    /// A task that runs as long as there are others.
    pub(crate) fn background(
        &mut self,
        party: Party,
        name: &'static str,
        future: impl Future<Output = ()> + 'static,
    ) {
        self.add(party, name, true, future);
    }

    fn add(
        &mut self,
        party: Party,
        name: &'static str,
        is_background: bool,
        future: impl Future<Output = ()> + 'static,
    ) {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let future: Option<Pin<Box<dyn Future<Output = ()>>>> = Some(Box::pin(future));
        self.tasks.push(Task { name, party, is_background, flag, future });
    }

    /// Runs until all tasks that the run waits for have ended.
    ///
    /// # Panics
    ///
    /// If they have not ended within `limit`, or if nothing more can happen.
    pub(crate) fn within(mut self, limit: Duration) {
        let limit = Timestamp::ZERO + limit;
        let (mut polls, mut instant) = (0_u32, self.world.now());
        loop {
            self.world.deliver();
            let Some(index) = self.next() else {
                if self.waiting().is_empty() {
                    return;
                }
                let paused = self.tasks.iter().filter(|task| task.is_woken());
                let resume = paused.filter_map(|task| self.world.paused_until(task.party)).min();
                let has_moved = self.world.advance(resume);
                assert!(has_moved, "{:?} wait for nothing at {}", self.waiting(), self.time());
                let waiting = self.waiting();
                assert!(self.world.now() <= limit, "{waiting:?} not done at {}", self.time());
                continue;
            };
            if self.world.now() != instant {
                (polls, instant) = (0, self.world.now());
            }
            polls += 1;
            assert!(polls < 200_000, "they go round in circles at {}", self.time());
            let task = &mut self.tasks[index];
            task.flag.0.store(false, Ordering::Relaxed);
            let waker = Waker::from(task.flag.clone());
            if let Some(future) = &mut task.future
                && future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
            {
                task.future = None;
            }
        }
    }

    fn next(&self) -> Option<usize> {
        let can_run =
            |task: &Task| task.is_woken() && self.world.paused_until(task.party).is_none();
        let woken: Vec<usize> =
            (0..self.tasks.len()).filter(|index| can_run(&self.tasks[*index])).collect();
        if woken.is_empty() { None } else { Some(woken[self.world.below(woken.len())]) }
    }

    fn waiting(&self) -> Vec<&'static str> {
        let waiting = self.tasks.iter().filter(|task| task.future.is_some() && !task.is_background);
        waiting.map(|task| task.name).collect()
    }

    fn time(&self) -> String {
        seconds(self.world.now())
    }
}

impl Task {
    fn is_woken(&self) -> bool {
        self.future.is_some() && self.flag.0.load(Ordering::Relaxed)
    }
}

/// Formats a time for people.
pub(crate) fn seconds(time: Timestamp) -> String {
    format!("{:.3} s", time.as_micros() as f64 / 1e6)
}
