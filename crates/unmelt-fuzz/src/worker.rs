//! Reads inputs, one after another, in a process that may end at any of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::allocator;
use crate::corpus::Corpus;
use crate::draws::Draws;
use crate::failures::{Failure, own_function, template};
use crate::mutate::Shape;
use crate::state::State;
use crate::targets::{Read, Target};
use crate::watchdog;

/// What the last panic said, and where.
static PANIC: Mutex<Option<(String, String)>> = Mutex::new(None);

/// Inputs between two looks at the clock.
const LOOK: u64 = 16;

/// What is to be tried of a target, by a process or by several.
pub struct Work<'a> {
    /// Whose inputs.
    pub target: &'a Target,
    /// The seed.
    pub seed: u64,
    /// Number of the first input.
    pub first: u64,
    /// Number after the last.
    pub end: u64,
    /// How long.
    pub time: Duration,
    /// Where failures go.
    pub failures: &'a Path,
}

/// What a process has done.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Done {
    /// Inputs that were read.
    pub inputs: u64,
    /// Inputs that were accepted.
    pub accepted: u64,
    /// Different answers.
    pub answers: usize,
    /// Inputs that made a reader panic.
    pub failures: u64,
}

/// The name of the file with the input that is being read.
pub const STATE: &str = "input";

/// Keeps panics for the report instead of printing them.
pub fn keep_panics() {
    std::panic::set_hook(Box::new(|info| {
        let mut place = info.location().map_or("nowhere".into(), |l| format!("{}:{}", l.file(), l.line()));
        // Of a panic in another project's code it is said who called it.
        if place.starts_with('/') {
            let backtrace = std::backtrace::Backtrace::force_capture().to_string();
            place = format!("{place} called by {}", own_function(&backtrace));
        }
        let text = info.payload_as_str().unwrap_or("a panic without words");
        if let Ok(mut last) = PANIC.lock() {
            *last = Some((place, text.into()));
        }
    }));
}

/// The answer to an input, or the place and the words of a panic.
pub fn answer(reader: &mut dyn Read, bytes: &[u8]) -> Result<Result<String, String>, (String, String)> {
    catch_unwind(AssertUnwindSafe(|| reader.read(bytes))).map_err(|_| {
        let last = PANIC.lock().ok().and_then(|mut last| last.take());
        last.unwrap_or_else(|| ("nowhere".into(), "a panic without words".into()))
    })
}

/// Reads inputs until their end or that of the time.
pub fn run(work: &Work, scratch: &Path) -> Result<Done, String> {
    let Target { name, number, .. } = *work.target;
    let mut corpus = Corpus::read(name)?;
    keep_panics();
    let mut reader = (work.target.open)(scratch)?;
    let fault = |e: std::io::Error| format!("{}: {e}", scratch.display());
    let mut state = State::create(&scratch.join(STATE)).map_err(fault)?;
    watchdog::start(work.target.seconds);
    let shape = Shape { text: work.target.text, tokens: work.target.tokens, most: work.target.most };
    let begin = Instant::now();
    let mut done = Done::default();
    for input in work.first..work.end {
        if input % LOOK == 0 && begin.elapsed() >= work.time {
            break;
        }
        let bytes = corpus.input(input, &shape, &mut Draws::new(work.seed, number, input));
        state.note(input, &bytes).map_err(fault)?;
        allocator::allow(work.target.megabytes << 20);
        watchdog::reading(input);
        let answer = answer(&mut *reader, &bytes);
        watchdog::idle();
        allocator::allow_all();
        done.inputs += 1;
        match answer {
            Ok(answer) => {
                done.accepted += u64::from(answer.is_ok());
                let (kind, sentence) = match &answer {
                    Ok(text) => ("yes", text),
                    Err(text) => ("no", text),
                };
                corpus.learn(&bytes, &format!("{kind} {}", template(sentence)));
            }
            Err((place, message)) => {
                done.failures += 1;
                let key = format!("panic at {place}");
                let failure = Failure { target: name.into(), seed: work.seed, input, key, message };
                if let Some(path) = failure.save(&bytes, work.failures).map_err(fault)? {
                    let what = template(&failure.message);
                    eprintln!("{name}, input {input}: {}: {what} ({})", failure.key, path.display());
                }
            }
        }
    }
    done.answers = corpus.answers();
    Ok(done)
}
