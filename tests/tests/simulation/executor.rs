//! An executor that polls only tasks that were woken, in an order determined by the seed.

use core::pin::Pin;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Waker};
use std::sync::Arc;
use std::task::Wake;

use crate::network::World;

pub(crate) type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The counters of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effort {
    pub(crate) polls: u64,
    /// Polls without progress.
    pub(crate) idle: u64,
    pub(crate) progress: u64,
    pub(crate) trace: u64,
}

#[derive(Debug, Default)]
struct Flag {
    is_woken: AtomicBool,
    wakes: AtomicUsize,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Relaxed);
        self.wakes.fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs the tasks to their end.
///
/// # Panics
///
/// If a wake-up was lost (no task is woken, no timer is due, and not all have ended), if a task wakes
/// itself without progress, or if the tasks loop without end.
pub(crate) fn run(world: &World, tasks: Vec<Task>) -> Effort {
    let mut effort = Effort::default();
    let mut tasks: Vec<_> = tasks
        .into_iter()
        .map(|task| {
            let flag = Arc::new(Flag { is_woken: AtomicBool::new(true), wakes: 0.into() });
            (Some(task), flag)
        })
        .collect();
    loop {
        let is_woken = |(task, flag): &(Option<Task>, Arc<Flag>)| {
            task.is_some() && flag.is_woken.load(Ordering::Relaxed)
        };
        let woken: Vec<usize> = (0..tasks.len()).filter(|index| is_woken(&tasks[*index])).collect();
        if woken.is_empty() {
            if tasks.iter().all(|(task, _)| task.is_none()) {
                break;
            }
            let waiting: Vec<_> =
                (0..tasks.len()).filter(|index| tasks[*index].0.is_some()).collect();
            assert!(world.advance(), "a wake-up was lost: {waiting:?} wait for nothing");
            world.deliver();
            continue;
        }
        let index = woken[world.below(woken.len())];
        let (task, flag) = &mut tasks[index];
        flag.is_woken.store(false, Ordering::Relaxed);
        world.note_poll(index);
        let before = world.progress();
        let waker = Waker::from(flag.clone());
        if let Some(future) = task
            && future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
        {
            *task = None;
            world.note(index as u64);
        }
        effort.polls += 1;
        let has_moved = world.progress() > before;
        effort.idle += u64::from(!has_moved);
        let wakes_itself = flag.is_woken.load(Ordering::Relaxed);
        assert!(has_moved || !wakes_itself, "task {index} wakes itself for nothing");
        assert!(effort.polls < 2_000_000, "they go round in circles");
        world.deliver();
    }
    effort.progress = world.progress();
    effort.trace = world.trace();
    effort
}
