//! Ctrl-C, the terminate signal and a terminal that is closed. The first asks for an end: work that keeps a part of its results
//! ends in order, within [`GRACE`], all other work at once. The second ends at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use unmelt_diffusion::job::{CancelToken, Job};
use unmelt_diffusion::{ErrorKind, files};

use crate::say;

/// How long an orderly end may take.
const GRACE: Duration = Duration::from_millis(1300);

/// How long a checkpoint that is being written is waited for.
const SAVING: Duration = Duration::from_secs(60);

/// The number of the signal; 0 before one came.
static SIGNAL: AtomicU8 = AtomicU8::new(0);

/// Whether the work ends in order by itself.
static ORDERLY: AtomicBool = AtomicBool::new(false);

/// Whether a checkpoint is being written.
static IS_SAVING: AtomicBool = AtomicBool::new(false);

/// What is said if the work did not end in time.
static LAST_WORDS: Mutex<String> = Mutex::new(String::new());

/// Listens from now on.
pub fn install() {
    // Without a handler a signal still ends the program, only less politely.
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let mut numbers = vec![SIGINT, SIGTERM];
        if !hang_up_is_ignored() {
            numbers.push(SIGHUP);
        }
        if let Ok(mut signals) = signal_hook::iterator::Signals::new(&numbers) {
            std::thread::spawn(move || signals.forever().for_each(|number| heed(number as u8)));
        }
    }
    #[cfg(not(unix))]
    {
        let _ = ctrlc::set_handler(|| heed(2));
    }
}

/// Whether the program was started to outlive its terminal, by `nohup`.
#[cfg(target_os = "linux")]
fn hang_up_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn hang_up_is_ignored() -> bool {
    true
}

/// The work that follows asks [`requested`] now and then and ends in order.
pub fn listen() {
    ORDERLY.store(true, Ordering::SeqCst);
}

/// Whether the program was asked to end.
pub fn requested() -> bool {
    SIGNAL.load(Ordering::SeqCst) != 0
}

/// What a job is stopped by when the program is asked to end.
pub fn token() -> CancelToken {
    CancelToken::when(requested)
}

/// A job that stops when the program is asked to end.
pub fn job() -> Job<'static> {
    Job::new().cancelled_by(&token())
}

/// The exit code of a program that was asked to end: 130 after Ctrl-C, 143 after the terminate signal.
pub fn exit_code() -> Option<u8> {
    match SIGNAL.load(Ordering::SeqCst) {
        0 => None,
        number => Some(128 + number),
    }
}

/// What is to be said of the results so far, should the work not end in time.
pub fn last_words(text: String) {
    *LAST_WORDS.lock().unwrap_or_else(|e| e.into_inner()) = text;
}

/// Does what must not be cut short, such as writing a checkpoint.
pub fn undisturbed(is_saving: bool) {
    IS_SAVING.store(is_saving, Ordering::SeqCst);
}

/// A signal has come.
fn heed(number: u8) {
    if SIGNAL.swap(number, Ordering::SeqCst) != 0 || !ORDERLY.load(Ordering::SeqCst) {
        eprintln!("stopping");
        end();
    }
    eprintln!("stopping (once more: at once)");
    std::thread::spawn(|| {
        let begin = Instant::now();
        while begin.elapsed() < GRACE || (IS_SAVING.load(Ordering::SeqCst) && begin.elapsed() < SAVING) {
            std::thread::sleep(Duration::from_millis(10));
        }
        end();
    });
}

/// Ends the program: nothing half-written is left.
fn end() -> ! {
    files::abandon();
    let words = LAST_WORDS.lock().unwrap_or_else(|e| e.into_inner()).clone();
    match words.as_str() {
        "" => eprintln!("nothing was written"),
        words => eprintln!("{words}"),
    }
    say::error_document(ErrorKind::Cancelled, "stopped on request", None, Some(&words));
    std::process::exit(exit_code().unwrap_or(1).into());
}
