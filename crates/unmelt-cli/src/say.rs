//! What is printed, and what is logged. A closed or full standard output does not end the work: what was to be written to files is written, and the
//! program ends with exit code 1 afterwards. Text of files cannot steer the terminal.
//!
//! The macros stand in for those of the standard library, which panic.

use std::fs::File;
use std::io::{self, Error, Write};
use std::path::Path;
use std::sync::{Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use unmelt_diffusion::files::plain;
use unmelt_diffusion::{ErrorKind, Subject};

/// What is printed where.
#[derive(Debug, Default)]
pub struct Voice {
    /// Text of results is left out: they are printed as JSON at the end.
    pub is_json: bool,
    /// Text of results and progress are left out; warnings and errors stay.
    pub is_quiet: bool,
    /// The version, the threads and the instruction set are printed, too.
    pub is_verbose: bool,
}

/// A file that gets every line, with its time.
static LOG: OnceLock<Mutex<File>> = OnceLock::new();

static VOICE: OnceLock<Voice> = OnceLock::new();

/// The warnings so far.
static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The command as it was typed, without options.
static COMMAND: OnceLock<String> = OnceLock::new();

/// Names the command for the document; once, at the beginning.
pub fn name_command(command: String) {
    let _ = COMMAND.set(command);
}

/// Sets what is printed where; once, at the beginning.
pub fn set(voice: Voice) {
    let _ = VOICE.set(voice);
}

fn voice() -> &'static Voice {
    VOICE.get_or_init(Voice::default)
}

/// Whether progress is shown.
pub fn shows_progress() -> bool {
    !voice().is_quiet
}

/// Adds every line from now on to the end of a file; once, at the beginning.
pub fn log_to(path: &Path) -> io::Result<()> {
    let _ = LOG.set(Mutex::new(File::options().append(true).create(true).open(path)?));
    Ok(())
}

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

/// Prints a line on standard error, but not with `--quiet`.
macro_rules! note {
    ($($arg:tt)*) => { $crate::say::note(&format!($($arg)*)) };
}

/// Prints a line with `--verbose` only.
macro_rules! detail {
    ($($arg:tt)*) => { $crate::say::detail(&format!($($arg)*)) };
}

/// The first fault of standard output.
static FAULT: Mutex<Option<Error>> = Mutex::new(None);

/// A line of results on standard output, unless they are printed as JSON.
pub fn out(text: &str) {
    log(text);
    if !voice().is_json && !voice().is_quiet {
        print(text);
    }
}

/// A line that is printed with `--verbose` only.
pub fn detail(text: &str) {
    log(text);
    if voice().is_verbose {
        let _ = writeln!(std::io::stderr().lock(), "{}", lines(text));
    }
}

/// A line on standard error that is left out with `--quiet`.
pub fn note(text: &str) {
    log(text);
    if !voice().is_quiet {
        let _ = writeln!(std::io::stderr().lock(), "{}", lines(text));
    }
}

/// A line on standard output; after a fault nothing is printed any more.
fn print(text: &str) {
    let mut fault = FAULT.lock().unwrap_or_else(|e| e.into_inner());
    if fault.is_some() {
        return;
    }
    let mut out = std::io::stdout().lock();
    *fault = writeln!(out, "{}", lines(text)).and_then(|()| out.flush()).err();
}

/// A line on standard error. Where nobody hears it, nobody can be told.
pub fn err(text: &str) {
    log(text);
    if let Some(warning) = text.strip_prefix("warning: ") {
        WARNINGS.lock().unwrap_or_else(|e| e.into_inner()).push(warning.to_string());
    }
    let _ = writeln!(std::io::stderr().lock(), "{}", lines(text));
}

/// Adds a line to the log. A log that cannot be written does not end the work.
fn log(text: &str) {
    let Some(file) = LOG.get() else { return };
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
    let _ = writeln!(file.lock().unwrap_or_else(|e| e.into_inner()), "{seconds:.3} {}", lines(text));
}

/// Prints an error as JSON, where that was asked for.
pub fn error_document(kind: ErrorKind, message: &str, subject: Option<&Subject>, hint: Option<&str>) {
    let error = serde_json::json!({ "kind": kind, "message": message, "subject": subject, "hint": hint });
    document(Err(error));
}

/// Prints a result as JSON, where that was asked for.
pub fn result_document(result: &serde_json::Value) {
    document(Ok(result));
}

/// Prints the end of a command as JSON, where that was asked for.
fn document(end: Result<&serde_json::Value, serde_json::Value>) {
    if !voice().is_json {
        return;
    }
    let (key, value) = match &end {
        Ok(result) => ("result", *result),
        Err(error) => ("error", error),
    };
    let warnings = WARNINGS.lock().unwrap_or_else(|e| e.into_inner()).clone();
    let document = serde_json::json!({
        "schema": 1,
        "version": env!("CARGO_PKG_VERSION"),
        "command": COMMAND.get().map_or("", String::as_str),
        "ok": end.is_ok(),
        "warnings": warnings,
        key: value,
    });
    print(&format!("{document:#}"));
}

/// Whether all that was to be printed was. A reader that has seen enough (`unmelt models | head -1`) is not complained about.
pub fn was_heard() -> bool {
    let fault = FAULT.lock().unwrap_or_else(|e| e.into_inner()).take();
    match &fault {
        None => true,
        Some(e) if e.kind() == io::ErrorKind::BrokenPipe => false,
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
