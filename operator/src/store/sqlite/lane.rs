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

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use parking_lot::Mutex;

    use super::*;

    #[test]
    fn who_is_urgent_waits_for_one_of_those_in_the_queue_at_most() {
        let lane = Lane::new(());
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            let held = lane.ordinary();
            for _ in 0..8 {
                scope.spawn(|| {
                    let _turn = lane.ordinary();
                    order.lock().push("ordinary");
                });
            }
            // Time for all of them to queue up.
            thread::sleep(Duration::from_millis(200));
            scope.spawn(|| {
                let _turn = lane.urgent();
                order.lock().push("urgent");
            });
            thread::sleep(Duration::from_millis(200));
            drop(held);
        });
        let order = order.into_inner();
        let at = order.iter().position(|who| *who == "urgent");
        assert!(at.is_some_and(|at| at <= 1), "{order:?}");
        assert_eq!(order.len(), 9);
    }
}
