//! Batches made ahead: while a step is learned from, the batch of the next is made on another thread.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::objective::Objective;
use crate::error::{Error, Result};
use crate::fault::ErrorKind;

/// The batches of a part of all steps to come.
pub(super) struct Ahead<B>(Mutex<Option<Making<B>>>);

/// A thread that makes batches, and the step of the next one.
struct Making<B> {
    step: u64,
    made: Receiver<B>,
    thread: JoinHandle<()>,
}

impl<B: Send + 'static> Ahead<B> {
    /// Nothing is made before the first batch is asked for.
    pub fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The batch of a step. The thread that makes batches goes on with that of the next one, and waits until it is taken.
    pub fn take<O: Objective<Batch = B>>(&self, objective: &Arc<O>, part: usize, step: u64) -> Result<B> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut making = match held.take().filter(|making| making.step == step) {
            Some(making) => making,
            None => begin(objective, part, step)?,
        };
        match making.made.recv() {
            Ok(batch) => {
                making.step += 1;
                *held = Some(making);
                Ok(batch)
            }
            Err(_) => {
                if let Err(panic) = making.thread.join() {
                    std::panic::resume_unwind(panic);
                }
                Err(Error::plain(ErrorKind::Input, format!("there is no batch for training step {step}")))
            }
        }
    }
}

/// Begins with the batch of a step. The thread ends by itself once nobody takes batches any more.
fn begin<O: Objective>(objective: &Arc<O>, part: usize, step: u64) -> Result<Making<O::Batch>> {
    // Without room in between, one batch is made ahead and no more.
    let (give, made) = sync_channel(0);
    let objective = Arc::clone(objective);
    let work = move || {
        for batch in objective.batches(part, step) {
            if give.send(batch).is_err() {
                break;
            }
        }
    };
    let thread = std::thread::Builder::new().name(format!("batches of part {part}")).spawn(work);
    let thread = thread.map_err(|e| Error::plain(ErrorKind::Io, format!("no thread was to be had: {e}")))?;
    Ok(Making { step, made, thread })
}
