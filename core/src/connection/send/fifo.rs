//! A queue of which the first item has a place of its own: what comes alone takes no more memory.

use alloc::collections::VecDeque;

/// Items in order, taken from the front.
#[derive(Debug)]
pub(crate) struct Line<T> {
    /// If there is none, nothing is behind it.
    first: Option<T>,
    behind: VecDeque<T>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { first: None, behind: VecDeque::new() }
    }
}

impl<T> Line<T> {
    #[inline]
    pub(crate) fn push_back(&mut self, item: T) {
        if self.first.is_none() {
            self.first = Some(item);
        } else {
            self.behind.push_back(item);
        }
    }

    #[inline]
    pub(crate) fn push_front(&mut self, item: T) {
        if let Some(second) = self.first.replace(item) {
            self.behind.push_front(second);
        }
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let item = self.first.take();
        if !self.behind.is_empty() {
            self.first = self.behind.pop_front();
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
        if self.behind.is_empty() { self.first.as_mut() } else { self.behind.back_mut() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(&self.behind)
    }

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Whether it holds memory for more than one item.
    #[inline]
    pub(crate) fn is_grown(&self) -> bool {
        self.behind.capacity() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is done to it, it is what a plain queue would be.
        #[test]
        fn it_is_a_queue(steps in proptest::collection::vec(0u8..4, 0..100)) {
            let (mut line, mut queue) = (Line::default(), VecDeque::new());
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    0 => prop_assert_eq!(line.pop_front(), queue.pop_front()),
                    1 => {
                        line.push_front(number);
                        queue.push_front(number);
                    }
                    _ => {
                        line.push_back(number);
                        queue.push_back(number);
                    }
                }
                prop_assert_eq!(line.front(), queue.front());
                prop_assert_eq!(line.back_mut(), queue.back_mut());
                prop_assert!(line.iter().eq(&queue));
                prop_assert_eq!(line.is_empty(), queue.is_empty());
            }
        }
    }
}
