//! Ends the process at an input that takes too long, by the time of the processor: a busy machine is no fault of a reader.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The exit code of a process that an input made take too long.
pub const TOO_LONG: i32 = 78;

/// Ticks of the processor's time in `/proc` in a second.
const TICKS: u64 = 100;

/// Number of the input that is being read, from 1; 0 between two.
static AT: AtomicU64 = AtomicU64::new(0);

/// Says which input is being read.
pub fn reading(input: u64) {
    AT.store(input + 1, Relaxed);
}

/// Says that none is.
pub fn idle() {
    AT.store(0, Relaxed);
}

/// Watches from a thread of its own; an input may take so many seconds.
pub fn start(seconds: u64) {
    std::thread::spawn(move || {
        let begin = Instant::now();
        let mut seen = (0, 0);
        loop {
            std::thread::park_timeout(Duration::from_millis(200));
            let (at, now) = (AT.load(Relaxed), processor_ticks(begin));
            if at != seen.0 || at == 0 {
                seen = (at, now);
            } else if now - seen.1 > seconds * TICKS {
                eprintln!("an input takes more than {seconds} s");
                std::process::exit(TOO_LONG);
            }
        }
    });
}

/// Time of the processor that this process has had, in ticks; time of the clock where the system does not say.
fn processor_ticks(begin: Instant) -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the program's name in brackets; user and system time are the 14th and 15th.
    let times: Vec<u64> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().skip(11).take(2).filter_map(|w| w.parse().ok()).collect())
        .unwrap_or_default();
    match times[..] {
        [user, system] => user + system,
        _ => (begin.elapsed().as_millis() as u64) * TICKS / 1000,
    }
}
