//! A counter of heap allocations, so that "takes no memory once warm" is a figure and not a hope.
//!
//! It is the allocator of the program and of the allocation test, so what a user measures on his box and what
//! the test asserts are the same thing. It adds one to a number of its own thread and hands on to the system's
//! allocator. ONNX Runtime is a C++ library with an allocator of its own; nothing of it is seen here.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

/// The system's allocator with a count for each thread. A program that wants to count makes it its
/// `#[global_allocator]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct CountingAllocator;

thread_local! {
    // Const and without a destructor: touching it allocates nothing and works to the last moment of a thread.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    COUNT.with(|count| count.set(count.get().wrapping_add(1)));
}

#[allow(unsafe_code)]
// SAFETY: every call goes to `System` with the caller's own arguments, so what the caller promised holds there;
// counting touches only a number of this thread and does not allocate.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's layout, as the trait asks.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's layout, as the trait asks.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: every block comes from `System`, with the layout that the caller gives back.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: every block comes from `System`, with the layout that the caller gives back.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Runs `work` and gives what it gave and how often it asked this thread's allocator for memory: allocations
/// and reallocations, not releases. `None` when the program does not count, see [`CountingAllocator`].
pub fn allocations<T>(work: impl FnOnce() -> T) -> (T, Option<u64>) {
    let counts = is_counting();
    let before = COUNT.with(Cell::get);
    let result = work();
    let after = COUNT.with(Cell::get);
    (result, counts.then(|| after.wrapping_sub(before)))
}

/// Whether [`CountingAllocator`] is this program's allocator.
fn is_counting() -> bool {
    let before = COUNT.with(Cell::get);
    drop(black_box(Box::new(black_box(0_u64))));
    COUNT.with(Cell::get) != before
}
