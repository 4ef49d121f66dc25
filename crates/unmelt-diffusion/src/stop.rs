//! Whether work is still wanted, for loops that last.

use std::sync::Arc;

use crate::error::{Error, Result};

/// A question that long loops ask again and again: whether to stop. It is asked from any thread, so that one request ends
/// the work of all.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use unmelt_diffusion::Stop;
///
/// let flag = Arc::new(AtomicBool::new(false));
/// let asked = flag.clone();
/// let stop = Stop::when(move || asked.load(Ordering::Relaxed));
/// assert!(stop.check().is_ok());
/// flag.store(true, Ordering::Relaxed);
/// assert!(stop.check().is_err_and(|e| e.is_stopped()));
/// assert!(!Stop::never().is_wanted());
/// ```
#[derive(Clone, Default)]
pub struct Stop(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Stop {
    /// Nobody asks to stop.
    pub fn never() -> Self {
        Self(None)
    }

    /// Stops once `wanted` says true. It is called often, so it should be quick.
    pub fn when(wanted: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(wanted)))
    }

    /// Whether to stop.
    pub fn is_wanted(&self) -> bool {
        self.0.as_ref().is_some_and(|wanted| wanted())
    }

    /// [`Error::Stopped`] where the work is to stop.
    pub fn check(&self) -> Result<()> {
        if self.is_wanted() { Err(Error::Stopped) } else { Ok(()) }
    }
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(if self.is_wanted() { "Stop(wanted)" } else { "Stop(not wanted)" })
    }
}
