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

/// Size in bytes from which a block of memory is the system's own, taken from it and given back to it alone
/// (mallopt(3), `M_MMAP_THRESHOLD`). Each such block costs the system a page fault for 4 kB: at glibc's first limit of
/// 128 kB, decoding all of 1080p25 took 0.20 core in place of 0.13, at this one 0.17, and the planes of a sub-stream
/// stay below it.
const OWN_BLOCK: i32 = 1 << 20;

/// Keeps large blocks out of the heaps of threads, for good. Left to itself, glibc takes the size of each large block
/// that is freed for its new limit, up to 32 MB, and keeps later ones of that size in the heap of the thread that
/// asked. The planes of pictures and the tensors of models come and go on many threads, so each heap grows to the
/// most that ever was in it at once and stays there, which for the first quarter of an hour looks like a leak. To be
/// called first of all; does nothing where the C library is another.
pub fn keep_large_blocks_apart() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[allow(unsafe_code)]
        // SAFETY: sets one number of the allocator, under the allocator's own lock; no memory is handed over. Should
        // it be refused, the allocator goes on as it would have.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_BLOCK);
        }
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
