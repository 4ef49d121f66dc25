//! Long work on a thread of its own, so that Python can be interrupted, and other threads of it run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// Time between two looks at Ctrl-C.
const GLANCE: Duration = Duration::from_millis(50);

/// How long work that was told to stop is waited for; it ends soon after by itself.
const FAREWELL: Duration = Duration::from_millis(800);

/// What the work reports to, and learns from whether it is still wanted.
#[derive(Clone)]
pub struct Reporter<E> {
    events: Sender<E>,
    stop: Arc<AtomicBool>,
}

impl<E> Reporter<E> {
    /// Reports an event; false if the work should stop.
    pub fn report(&self, event: E) -> bool {
        self.events.send(event).is_ok() && !self.is_stopped()
    }

    /// Whether the work should stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Does `work` without holding the interpreter. Its events are handed to `listen` here, in order; an exception of that, or
/// Ctrl-C, stops the work.
pub fn run<T: Send + 'static, E: Send + 'static>(
    py: Python,
    work: impl FnOnce(Reporter<E>) -> PyResult<T> + Send + 'static,
    mut listen: impl FnMut(Python, E) -> PyResult<()>,
) -> PyResult<T> {
    let (events, inbox) = channel();
    let stop = Arc::new(AtomicBool::new(false));
    let reporter = Reporter { events, stop: stop.clone() };
    let worker = thread::spawn(move || work(reporter));
    // A receiver belongs to one thread; the closure that waits without the interpreter borrows it through a lock.
    let inbox = std::sync::Mutex::new(inbox);
    loop {
        let heard = py.detach(|| inbox.lock().unwrap_or_else(|e| e.into_inner()).recv_timeout(GLANCE));
        let outcome = match heard {
            Ok(event) => listen(py, event).and_then(|()| py.check_signals()),
            Err(RecvTimeoutError::Timeout) => py.check_signals(),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if let Err(error) = outcome {
            stop.store(true, Ordering::Relaxed);
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
