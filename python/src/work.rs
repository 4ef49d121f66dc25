//! Long work on a thread of its own, so that Python can be interrupted, and other threads of it run.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use unmelt_diffusion::job::{CancelToken, Event, Job};

/// Time between two looks at Ctrl-C.
const GLANCE: Duration = Duration::from_millis(50);

/// How long work that was told to stop is waited for; it ends soon after by itself.
const FAREWELL: Duration = Duration::from_millis(800);

/// Does `work` without holding the interpreter. Its events are handed to `listen` here, in order; an exception of that, or
/// Ctrl-C, stops the work.
pub fn run<T: Send + 'static>(
    py: Python,
    work: impl FnOnce(&Job) -> PyResult<T> + Send + 'static,
    mut listen: impl FnMut(Python, &Event) -> PyResult<()>,
) -> PyResult<T> {
    let (events, inbox) = channel();
    let cancel = CancelToken::new();
    let token = cancel.clone();
    let worker = thread::spawn(move || {
        // Events that nobody hears any more are not missed.
        let listener = |event: &Event| drop(events.send(event.clone()));
        work(&Job::new().cancelled_by(&token).heard_by(&listener))
    });
    // A receiver belongs to one thread; the closure that waits without the interpreter borrows it through a lock.
    let inbox = std::sync::Mutex::new(inbox);
    loop {
        let heard = py.detach(|| inbox.lock().unwrap_or_else(|e| e.into_inner()).recv_timeout(GLANCE));
        let outcome = match heard {
            Ok(event) => listen(py, &event).and_then(|()| py.check_signals()),
            Err(RecvTimeoutError::Timeout) => py.check_signals(),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if let Err(error) = outcome {
            cancel.cancel();
            py.detach(|| {
                let begin = Instant::now();
                while !worker.is_finished() && begin.elapsed() < FAREWELL {
                    thread::sleep(Duration::from_millis(5));
                }
            });
            return Err(error);
        }
    }
    py.detach(|| worker.join())
        .unwrap_or_else(|_| Err(PyRuntimeError::new_err("unmelt ended in a bug; please report it")))
}
