//! Decoders of other projects, kept from taking the program with them.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};
use crate::fault::ErrorKind;

/// Stack of the thread that a decoder runs on, in bytes.
const STACK: usize = 16 << 20;

thread_local! {
    /// Whether this thread runs a decoder.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Decoders at work. They may hand work to threads of a pool, whose panics come back to the decoder's own thread.
static AT_WORK: AtomicUsize = AtomicUsize::new(0);

/// Runs a decoder that may panic on broken input, on a thread of its own. A panic becomes an error that begins with `what`
/// ("m.parquet", "slice 3.dcm"); nothing is printed.
///
/// ```
/// use unmelt_diffusion::files::contained;
///
/// assert_eq!(contained("a.bin", || 7)?, 7);
/// let error = contained("a.bin", || [0; 3][std::hint::black_box(5)]).unwrap_err();
/// assert!(error.to_string().starts_with("a.bin is broken"));
/// # Ok::<(), unmelt_diffusion::Error>(())
/// ```
pub fn contained<T: Send>(what: &str, decode: impl FnOnce() -> T + Send) -> Result<T> {
    contained_with_stack(what, STACK, decode)
}

/// The same with a stack of so many bytes, for decoders that recurse.
pub fn contained_with_stack<T: Send>(
    what: &str,
    stack: usize,
    decode: impl FnOnce() -> T + Send,
) -> Result<T> {
    silence_decoders();
    let work = move || {
        INSIDE.set(true);
        catch_unwind(AssertUnwindSafe(decode))
    };
    AT_WORK.fetch_add(1, Ordering::SeqCst);
    let done = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(DECODER.into()).stack_size(stack);
        thread.spawn_scoped(scope, work).map(|handle| handle.join())
    });
    AT_WORK.fetch_sub(1, Ordering::SeqCst);
    match done {
        Ok(Ok(Ok(value))) => Ok(value),
        Ok(Ok(Err(panic)) | Err(panic)) => Err(Error::Broken { what: what.into(), fault: message(&*panic) }),
        Err(error) => Err(Error::plain(
            ErrorKind::Io,
            format!("{what} could not be read: no thread was to be had ({error})"),
        )),
    }
}

/// Name of the threads that decoders run on.
const DECODER: &str = "decoder";

/// Keeps the panics of decoders from being printed; all others go to the hook that was there before.
fn silence_decoders() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !is_of_a_decoder() {
                before(panic);
            }
        }));
    });
}

/// Whether a panic of this thread is a decoder's: of its own thread, or of a thread of a pool while a decoder is at work.
fn is_of_a_decoder() -> bool {
    let own = INSIDE.try_with(Cell::get).unwrap_or(false);
    let pool = || {
        let name = std::thread::current().name().map(str::to_owned);
        name.as_deref() != Some("main") && AT_WORK.load(Ordering::SeqCst) > 0
    };
    own || pool()
}

/// What a panic said, on one line.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason was given");
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
