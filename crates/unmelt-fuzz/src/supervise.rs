//! Watches a process that reads, and begins another where it ended.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use crate::allocator::TOO_MUCH;
use crate::failures::{Failure, own_function};
use crate::state::State;
use crate::watchdog::TOO_LONG;
use crate::worker::{Done, STATE, Work};

/// Processes that may end at an input, for one target.
const ENDS: u64 = 100;

/// Tries a target; how many inputs were read, and how many not survived.
pub fn run(plan: &Work) -> Result<Done, String> {
    let begin = Instant::now();
    let mut all = Done::default();
    let mut first = plan.first;
    let mut ends = 0;
    while first < plan.end {
        let left = plan.time.saturating_sub(begin.elapsed());
        if left.is_zero() && first > plan.first {
            break;
        }
        let scratch = scratch().map_err(|e| e.to_string())?;
        let output = Command::new(std::env::current_exe().map_err(|e| e.to_string())?)
            .args(["work", "--target", plan.target.name])
            .args(["--seed", &plan.seed.to_string()])
            .args(["--first", &first.to_string(), "--end", &plan.end.to_string()])
            .args(["--seconds", &left.as_secs_f64().to_string()])
            .arg("--scratch")
            .arg(scratch.path())
            .arg("--failures")
            .arg(plan.failures)
            // One reader at a time, and no more threads than it needs.
            .env("RAYON_NUM_THREADS", "1")
            .env("POLARS_MAX_THREADS", "1")
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("no process could be started: {e}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        said.lines().filter(|l| l.starts_with(plan.target.name)).for_each(|l| eprintln!("{l}"));
        if output.status.success() {
            let done: Done = serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())?;
            add(&mut all, &done);
            break;
        }
        let last = State::last(&scratch.path().join(STATE));
        let Some((input, bytes)) = last.filter(|(input, _)| *input >= first) else {
            return Err(format!("{}: {}", plan.target.name, said.trim()));
        };
        let (key, message) =
            (cause(output.status, &said), said.lines().take(60).collect::<Vec<_>>().join("\n"));
        let failure = Failure { target: plan.target.name.into(), seed: plan.seed, input, key, message };
        if let Some(path) = failure.save(&bytes, plan.failures).map_err(|e| e.to_string())? {
            eprintln!("{}, input {input}: {} ({})", plan.target.name, failure.key, path.display());
        }
        add(&mut all, &Done { inputs: input + 1 - first, failures: 1, ..Done::default() });
        first = input + 1;
        ends += 1;
        if ends == ENDS {
            eprintln!("{}: {ENDS} processes ended, and no other is started", plan.target.name);
            break;
        }
    }
    Ok(all)
}

fn add(all: &mut Done, done: &Done) {
    all.inputs += done.inputs;
    all.accepted += done.accepted;
    all.failures += done.failures;
    all.answers = all.answers.max(done.answers);
}

/// A folder for files that come and go, in memory where the system has one.
fn scratch() -> std::io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    let builder = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix("unmelt-fuzz-");
        builder
    };
    builder().tempdir_in(memory).or_else(|_| builder().tempdir())
}

/// Why a process ended.
fn cause(status: ExitStatus, said: &str) -> String {
    match status.code() {
        Some(TOO_MUCH) => format!("too much memory in {}", own_function(said)),
        Some(TOO_LONG) => "too much time".into(),
        _ if said.contains("overflowed its stack") => "stack overflow".into(),
        _ => format!("the process ended with {status}"),
    }
}
