//! The work of the driver in each round that needs the clock: beginning to close, pinging, and
//! waking the calls that have an answer.

use crate::event_loop::Endpoint;
use crate::io::{ByteStream, Clock};
use crate::split::state::SplitState;
use crate::split::wait_for::WaitFor;
use crate::split::wakes::Wakes;
use tidegate_core::Timestamp;

impl SplitState {
    /// Carries out what the other parts have asked for. Returns whether that changed anything.
    pub(crate) fn carry_out_requests<S: ByteStream, C: Clock>(
        &mut self,
        endpoint: &mut Endpoint<S, C>,
    ) -> bool {
        let is_closed = match self.close.take() {
            Some(frame) => self.connection.close(endpoint.clock.now(), frame).is_ok(),
            None => false,
        };
        // `|` and not `||`: each request has its turn, also after one that changed something.
        is_closed | (!self.waits.is_empty() && self.ping(endpoint)) | self.release_end(endpoint)
    }

    /// Lets the peer's end take effect if the application takes no messages: an application that
    /// only sends must notice it too.
    fn release_end<S: ByteStream, C: Clock>(&mut self, endpoint: &mut Endpoint<S, C>) -> bool {
        if !self.connection.is_end_queued() {
            return false;
        }
        match self.queued_end_timeout.check(&mut self.connection, endpoint.clock.now()) {
            Ok(is_released) => is_released,
            Err(due) => {
                set_alarm(endpoint, due);
                false
            }
        }
    }

    /// Answers the calls whose pong has come, or will not come. Sends one ping for all calls that
    /// wait for one.
    fn ping<S: ByteStream, C: Clock>(&mut self, endpoint: &mut Endpoint<S, C>) -> bool {
        // Otherwise the pong is behind messages that the application has not taken.
        let can_come = self.connection.is_gate_open() && !self.connection.is_end_queued();
        let mut is_wanted = false;
        for place in self.waits.iter_mut() {
            match &mut place.value {
                WaitFor::Pong { number, .. } if self.connection.is_ping_answered(*number) => {
                    place.value = WaitFor::Answered(self.connection.latency());
                }
                WaitFor::Pong { .. } if !can_come => place.value = WaitFor::Answered(None),
                WaitFor::Pong { limit: Some(limit), has_read, .. } => {
                    let now = endpoint.clock.now();
                    if *limit > now {
                        set_alarm(endpoint, *limit);
                    } else if *has_read {
                        place.value = WaitFor::Answered(None);
                    } else {
                        // The pong may have arrived: a driver that comes late reads first.
                        *has_read = true;
                        endpoint.alarm = Some(now);
                    }
                }
                WaitFor::Ping => is_wanted = true,
                WaitFor::Pong { limit: None, .. }
                | WaitFor::Written { .. }
                | WaitFor::Answered(_)
                | WaitFor::End => {}
            }
        }
        is_wanted && self.send_ping(endpoint)
    }

    fn send_ping<S: ByteStream, C: Clock>(&mut self, endpoint: &mut Endpoint<S, C>) -> bool {
        self.pings += 1;
        let now = endpoint.clock.now();
        // It fails if as many pings wait already as may wait: those have to go out first. It also
        // fails after a Close, which all calls are told of.
        let Ok(number) = self.connection.ping(now, self.pings.to_be_bytes().to_vec()) else {
            return false;
        };
        let limit = self.connection.config().pong_timeout().map(|limit| now + limit);
        for place in self.waits.iter_mut() {
            if let WaitFor::Ping = place.value {
                place.value = WaitFor::Pong { number, limit, has_read: false };
            }
        }
        true
    }

    /// Wakes the receiver if there is something to receive, and the calls that have an answer.
    pub(crate) fn wake_answered(&mut self, wakes: &mut Wakes) {
        if self.receiver.is_some() && self.has_news() {
            wakes.push(self.receiver.take());
        }
        if self.waits.is_empty() {
            return;
        }
        let mut waits = std::mem::take(&mut self.waits);
        for place in waits.iter_mut() {
            if place.waker.is_some() && self.answer(&place.value).is_some() {
                wakes.push(place.waker.take());
            }
        }
        self.waits = waits;
    }
}

/// Makes the timer fire at this time at the latest.
fn set_alarm<S, C>(endpoint: &mut Endpoint<S, C>, due: Timestamp) {
    endpoint.alarm = Some(endpoint.alarm.map_or(due, |alarm| alarm.min(due)));
}
