//! Who may write next, within this process.

use std::ops::Deref;

use parking_lot::{FairMutex, FairMutexGuard};

/// A lock with two entrances. Ordinary users queue in the order of their coming; one at a time
/// goes on to the inner door, where whoever is urgent competes with that one alone. However many
/// clients write in a loop, a coordinator waits for two of their writes at most, and each of them
/// for its turn.
#[derive(Debug)]
pub(super) struct Lane<T> {
    queue: FairMutex<()>,
    inner: FairMutex<T>,
}

/// The right to use what the lane guards.
pub(super) struct Turn<'l, T> {
    // Fields drop in their order: the inner door opens first, for the urgent.
    inner: FairMutexGuard<'l, T>,
    _queue: Option<FairMutexGuard<'l, ()>>,
}

impl<T> Lane<T> {
    pub(super) fn new(value: T) -> Self {
        Self {
            queue: FairMutex::new(()),
            inner: FairMutex::new(value),
        }
    }

    pub(super) fn ordinary(&self) -> Turn<'_, T> {
        let queue = self.queue.lock();
        Turn {
            inner: self.inner.lock(),
            _queue: Some(queue),
        }
    }

    pub(super) fn urgent(&self) -> Turn<'_, T> {
        Turn {
            inner: self.inner.lock(),
            _queue: None,
        }
    }
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}
