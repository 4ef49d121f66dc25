//! What is printed. A closed or full standard output does not end the work: what was to be written to files is written, and the
//! program ends with exit code 1 afterwards. Text of files cannot steer the terminal.
//!
//! The macros stand in for those of the standard library, which panic.

use std::io::{Error, ErrorKind, Write};
use std::sync::Mutex;

use unmelt_diffusion::files::plain;

/// Prints a line on standard output.
macro_rules! println {
    () => { $crate::say::out("") };
    ($($arg:tt)*) => { $crate::say::out(&format!($($arg)*)) };
}

/// Prints a line on standard error.
macro_rules! eprintln {
    () => { $crate::say::err("") };
    ($($arg:tt)*) => { $crate::say::err(&format!($($arg)*)) };
}

/// The first fault of standard output.
static FAULT: Mutex<Option<Error>> = Mutex::new(None);

/// A line on standard output; after a fault nothing is printed any more.
pub fn out(text: &str) {
    let mut fault = FAULT.lock().unwrap_or_else(|e| e.into_inner());
    if fault.is_some() {
        return;
    }
    let mut out = std::io::stdout().lock();
    *fault = writeln!(out, "{}", lines(text)).and_then(|()| out.flush()).err();
}

/// A line on standard error. Where nobody hears it, nobody can be told.
pub fn err(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", lines(text));
}

/// Whether all that was to be printed was. A reader that has seen enough (`unmelt models | head -1`) is not complained about.
pub fn was_heard() -> bool {
    let fault = FAULT.lock().unwrap_or_else(|e| e.into_inner()).take();
    match &fault {
        None => true,
        Some(e) if e.kind() == ErrorKind::BrokenPipe => false,
        Some(e) => {
            err(&format!("error: could not write to standard output: {e}"));
            false
        }
    }
}

/// Text without control characters but the ends of its lines.
fn lines(text: &str) -> String {
    text.split('\n').map(plain).collect::<Vec<_>>().join("\n")
}
