//! Sends one message to many connections.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};

use crate::error::Error;
use crate::split::queued_call::QueuedCall;
use crate::split::send_item::{SendItem, WaitingItem};
use crate::split::sender::Sender;
use tidegate_core::{CloseCode, Outgoing, Prepared, SendError};

/// What to do with a connection that has no room for a broadcast message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "it misses the message, or it goes")]
pub enum Slow {
    /// It misses this message.
    Skip,
    /// It is closed: [`CloseCode::TRY_AGAIN_LATER`] goes out after what is queued, if the peer takes
    /// that in time; `close_timeout` bounds it.
    Disconnect,
}

/// What happened to a broadcast message on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Its outbox has accepted the message.
    Sent,
    /// It had no room, or none in time: nothing of the message is sent on it.
    Skipped,
    /// It had no room, or none in time, and is being closed for that.
    Disconnected,
    /// It was closing or closed before.
    Closed,
}

/// Sends a message to many connections without waiting: each accepts it now, or is treated as
/// `slow` says. Returns what happened on each, in their order.
///
/// A slow peer takes no more memory than the watermarks of its outbox allow, and does not delay the
/// others. All connections share the bytes of the message.
///
/// ```
/// use tidegate_core::Prepared;
/// use tidegate_driver::{Outcome, Sender, Slow, broadcast};
///
/// /// How many have missed it.
/// fn announce(members: &[Sender], news: &str) -> usize {
///     let outcomes = broadcast(members, &Prepared::new(news), Slow::Skip);
///     outcomes.into_iter().filter(|outcome| *outcome == Outcome::Skipped).count()
/// }
/// # assert_eq!(announce(&[], "tide is high"), 0);
/// ```
pub fn broadcast<'a>(
    senders: impl IntoIterator<Item = &'a Sender>,
    message: &Prepared,
    slow: Slow,
) -> Vec<Outcome> {
    let offer = |sender: &Sender| match sender.try_send(message) {
        Ok(()) => Outcome::Sent,
        Err(SendError::Closed(_)) => Outcome::Closed,
        Err(_) => slow.deal_with(sender),
    };
    senders.into_iter().map(offer).collect()
}

/// Sends a message to many connections, and waits for those that have no room until `deadline`
/// completes, a timer of the runtime for example. Those that still have none are treated as `slow`
/// says.
///
/// All wait at the same time, each in the queue of its own connection: a slow one does not delay
/// the others, and what is sent later goes out after this message.
///
/// # Cancel safety
///
/// If it is cancelled, the connections that had no room until then miss the message.
pub async fn broadcast_until<'a>(
    senders: impl IntoIterator<Item = &'a Sender>,
    message: &Prepared,
    deadline: impl Future<Output = ()>,
    slow: Slow,
) -> Vec<Outcome> {
    let mut deadline = pin!(deadline);
    let mut is_over = false;
    let mut members: Vec<_> =
        senders.into_iter().map(|sender| Member::new(sender, message)).collect();
    let mut next = 0;
    poll_fn(|cx| {
        if next == 0 {
            // Puts the message into every queue before it waits for any.
            members.iter_mut().for_each(|member| member.poll(cx, slow));
        }
        // A future that has completed must not be polled again.
        is_over = is_over || deadline.as_mut().poll(cx).is_ready();
        // Waiting for one after the other takes no longer: all are served meanwhile.
        while let Some(member) = members.get_mut(next) {
            member.poll(cx, slow);
            if is_over {
                member.give_up(slow);
            }
            // A member that comes later may wake this task in vain. No answer is lost by that,
            // since it is asked when its turn comes.
            if member.outcome.is_none() {
                return Poll::Pending;
            }
            next += 1;
        }
        Poll::Ready(())
    })
    .await;
    // All have an outcome here; the other value is only for the compiler.
    members.into_iter().map(|member| member.outcome.unwrap_or(Outcome::Closed)).collect()
}

/// The message on one connection.
struct Member<'a> {
    sender: &'a Sender,
    call: QueuedCall<'a, WaitingItem>,
    item: Option<SendItem<'a>>,
    outcome: Option<Outcome>,
}

impl<'a> Member<'a> {
    fn new(sender: &'a Sender, message: &'a Prepared) -> Self {
        Self {
            sender,
            call: QueuedCall::for_room(&sender.shared),
            item: Some(SendItem::Message(Outgoing::from(message))),
            outcome: None,
        }
    }

    fn poll(&mut self, cx: &Context<'_>, slow: Slow) {
        if self.outcome.is_some() {
            return;
        }
        self.outcome = match self.call.poll_send(cx, self.sender.id, &mut self.item) {
            Poll::Pending => None,
            Poll::Ready(Ok(())) => Some(Outcome::Sent),
            Poll::Ready(Err(Error::Unfinished)) => Some(slow.deal_with(self.sender)),
            Poll::Ready(Err(_)) => Some(Outcome::Closed),
        };
    }

    fn give_up(&mut self, slow: Slow) {
        if self.outcome.is_none() {
            // If it is not in the queue any more, it was accepted at the last moment.
            let has_waited = self.call.leave();
            self.outcome =
                Some(if has_waited { slow.deal_with(self.sender) } else { Outcome::Sent });
        }
    }
}

impl Slow {
    fn deal_with(self, sender: &Sender) -> Outcome {
        match self {
            Self::Skip => Outcome::Skipped,
            Self::Disconnect => match sender.begin_close(CloseCode::TRY_AGAIN_LATER, "too slow") {
                Ok(()) => Outcome::Disconnected,
                Err(_) => Outcome::Closed,
            },
        }
    }
}
