//! The client's allocator: a free list for each power of two.
//!
//! A client makes and drops the same few things all day (operations, plans, tables that an install
//! replaces), so that what was freed fits what is asked for next, and nothing need be joined or
//! split. That is a twentieth of the usual allocator's code, which would be a twentieth of all that a
//! page loads. The price is memory: a block is up to twice what was asked for, and serves only its own
//! size again.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr::null_mut;

#[global_allocator]
static HEAP: Heap = Heap {
    free: [const { Cell::new(null_mut()) }; CLASSES],
    at: Cell::new(0),
    end: Cell::new(0),
};

/// The smallest block, and how all blocks are aligned: more than anything here asks for.
const BLOCK_MIN: usize = 16;
/// The largest is 2 GiB: half of all the memory that there can be.
const CLASSES: usize = 28;
const PAGE: usize = 65_536;

struct Heap {
    /// The free blocks of each size: each holds the address of the next.
    free: [Cell<*mut u8>; CLASSES],
    /// What was taken from the engine and was never a block yet.
    at: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: the module is built without WebAssembly's threads, so there is one.
unsafe impl Sync for Heap {}

/// Which free list a block of so many bytes is of: they have 16 bytes, 32, 64, …
fn class_of(bytes: usize) -> usize {
    let bits = usize::BITS - (bytes.max(BLOCK_MIN) - 1).leading_zeros();
    bits as usize - BLOCK_MIN.ilog2() as usize
}

impl Heap {
    /// A new block, from the memory after all others.
    fn carve(&self, bytes: usize) -> *mut u8 {
        if self.end.get() - self.at.get() < bytes {
            let pages = bytes.div_ceil(PAGE);
            let before = std::arch::wasm32::memory_grow::<0>(pages);
            if before == usize::MAX {
                return null_mut();
            }
            if before * PAGE != self.end.get() {
                self.at.set(before * PAGE);
            }
            // At 4 GiB there is no number for the end.
            self.end.set((before * PAGE).saturating_add(pages * PAGE));
        }
        let block = self.at.get();
        self.at.set(block + bytes);
        std::ptr::with_exposed_provenance_mut(block)
    }
}

// SAFETY: a block is in one free list or with one owner, never both; blocks are disjoint, and
// aligned to `BLOCK_MIN`, since pages are and all sizes are multiples of it.
unsafe impl GlobalAlloc for Heap {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let class = class_of(layout.size());
        let Some(free) = self.free.get(class).filter(|_| layout.align() <= BLOCK_MIN) else {
            return null_mut();
        };
        let block = free.get();
        if block.is_null() {
            return self.carve(BLOCK_MIN << class);
        }
        // SAFETY: a block in a free list holds the address of the next one.
        free.set(unsafe { block.cast::<*mut u8>().read() });
        block
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(free) = self.free.get(class_of(layout.size())) {
            // SAFETY: the block was made for this layout, so it is of this class, at least as large
            // as an address, and its owner has given it back.
            unsafe { block.cast::<*mut u8>().write(free.get()) };
            free.set(block);
        }
    }

    #[inline(never)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        if class_of(bytes) == class_of(layout.size()) {
            return block;
        }
        // SAFETY: the caller's promises are those of both calls; the two blocks are disjoint.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(bytes, layout.align()));
            if !new.is_null() {
                new.copy_from_nonoverlapping(block, layout.size().min(bytes));
                self.dealloc(block, layout);
            }
            new
        }
    }
}
