//! The allocator of unmelt's programs. Each declares it as its own, and calls [`keep_freed_memory`] first:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: unmelt_allocator::MiMalloc = unmelt_allocator::MiMalloc;
//!
//! unmelt_allocator::keep_freed_memory();
//! ```

pub use mimalloc::MiMalloc;

/// Keeps freed memory instead of handing it back to the system. Tensors come and go by the thousand; giving their pages
/// back costs a fifth of the time of a training step.
pub fn keep_freed_memory() {
    /// `mi_option_purge_delay` of mimalloc.h, which the bindings leave out.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // SAFETY: the option exists, and setting it before other threads start is what it is for.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
}
