//! A queue that stores its first item inline, so that a single item needs no allocation.

use alloc::collections::VecDeque;

/// Items in order, taken from the front.
#[derive(Debug)]
pub(crate) struct Fifo<T> {
    /// If this is `None`, `rest` is empty.
    first: Option<T>,
    rest: VecDeque<T>,
}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Self { first: None, rest: VecDeque::new() }
    }
}

impl<T> Fifo<T> {
    #[inline]
    pub(crate) fn push_back(&mut self, item: T) {
        if self.first.is_none() {
            self.first = Some(item);
        } else {
            self.rest.push_back(item);
        }
    }

    #[inline]
    pub(crate) fn push_front(&mut self, item: T) {
        if let Some(second) = self.first.replace(item) {
            self.rest.push_front(second);
        }
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let item = self.first.take();
        if !self.rest.is_empty() {
            self.first = self.rest.pop_front();
        }
        item
    }

    #[inline]
    pub(crate) const fn front(&self) -> Option<&T> {
        self.first.as_ref()
    }

    #[inline]
    pub(crate) const fn front_mut(&mut self) -> Option<&mut T> {
        self.first.as_mut()
    }

    #[inline]
    pub(crate) fn back_mut(&mut self) -> Option<&mut T> {
        if self.rest.is_empty() { self.first.as_mut() } else { self.rest.back_mut() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(&self.rest)
    }

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Whether it has allocated memory, for more than one item.
    #[inline]
    pub(crate) fn is_grown(&self) -> bool {
        self.rest.capacity() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// It does what a `VecDeque` does, whatever the operations are.
        #[test]
        fn it_behaves_like_a_queue(steps in proptest::collection::vec(0u8..4, 0..100)) {
            let (mut fifo, mut queue) = (Fifo::default(), VecDeque::new());
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    0 => prop_assert_eq!(fifo.pop_front(), queue.pop_front()),
                    1 => {
                        fifo.push_front(number);
                        queue.push_front(number);
                    }
                    _ => {
                        fifo.push_back(number);
                        queue.push_back(number);
                    }
                }
                prop_assert_eq!(fifo.front(), queue.front());
                prop_assert_eq!(fifo.back_mut(), queue.back_mut());
                prop_assert!(fifo.iter().eq(&queue));
                prop_assert_eq!(fifo.is_empty(), queue.is_empty());
            }
        }
    }
}
