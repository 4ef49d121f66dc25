//! An allocator that counts, and ends the process at an input that takes too much.

use std::alloc::{GlobalAlloc, Layout};
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use unmelt_allocator::MiMalloc;

/// The exit code of a process that an input made take too much memory.
pub const TOO_MUCH: i32 = 77;

/// Bytes that are in use.
static USED: AtomicUsize = AtomicUsize::new(0);

/// Bytes in use at which the process ends.
static MOST: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Whether the end has begun, and what it takes is not counted.
static ENDING: AtomicBool = AtomicBool::new(false);

/// The allocator of unmelt's programs, with a count.
pub struct Counting;

/// Lets so many bytes more be taken than are in use.
pub fn allow(bytes: usize) {
    MOST.store(USED.load(Relaxed).saturating_add(bytes), Relaxed);
}

/// Lets any number of bytes be taken.
pub fn allow_all() {
    MOST.store(usize::MAX, Relaxed);
}

fn count(bytes: usize) {
    let used = USED.fetch_add(bytes, Relaxed).saturating_add(bytes);
    if used > MOST.load(Relaxed) && !ENDING.swap(true, Relaxed) {
        MOST.store(usize::MAX, Relaxed);
        let backtrace = std::backtrace::Backtrace::force_capture().to_string();
        let _ = writeln!(std::io::stderr(), "{bytes} bytes were asked for\n{backtrace}");
        std::process::exit(TOO_MUCH);
    }
}

// SAFETY: every call goes to an allocator; counting beside it changes no pointer.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Relaxed);
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size > layout.size() {
            count(size - layout.size());
        } else {
            USED.fetch_sub(layout.size() - size, Relaxed);
        }
        unsafe { MiMalloc.realloc(pointer, layout, size) }
    }
}
