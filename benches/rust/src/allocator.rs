//! An allocator that counts: how many allocations a piece of work makes, and how many bytes it
//! keeps.
#![expect(unsafe_code, reason = "an allocator can't be had without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Hands everything on to the system's allocator.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: each call is the system's own, with what was given; the counters are beside it. The
// default `realloc` goes through the two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps to the layout's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `place` came from `alloc`, which is the system's.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

/// What `work` answers, how many allocations it made, and how many bytes more are held after it.
pub(crate) fn counted<T>(work: impl FnOnce() -> T) -> (T, usize, usize) {
    let (allocations, bytes) = (
        ALLOCATIONS.load(Ordering::Relaxed),
        BYTES.load(Ordering::Relaxed),
    );
    let answer = work();
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - allocations;
    let held = BYTES.load(Ordering::Relaxed).saturating_sub(bytes);
    (answer, allocations, held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted() {
        // Other tests allocate beside this one, so that only lower bounds hold.
        let (held, allocations, bytes) = counted(|| vec![0_u8; 1 << 24]);
        assert!(
            allocations >= 1 && bytes >= 1 << 23,
            "{allocations} {bytes}"
        );
        drop(held);
    }
}
