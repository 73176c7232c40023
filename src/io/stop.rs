//! Signals: SIGTERM and SIGUSR1 (a scheduler wants the machine back), SIGINT (somebody pressed Ctrl-C).
//!
//! A signal ends the work at the next strip of a task, file or block; finished parts stay. A second Ctrl-C ends the
//! process at once.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;

use crate::error::{Error, ErrorKind, Result};

static FLAGS: OnceLock<(Arc<AtomicBool>, Arc<AtomicBool>)> = OnceLock::new();

/// Starts to heed signals.
///
/// # Errors
/// Bug: the operating system takes no handler.
pub fn listen() -> Result<()> {
    let (terminated, interrupted) = FLAGS.get_or_init(Default::default).clone();
    let register = || {
        flag::register(SIGTERM, terminated.clone())?;
        flag::register(SIGUSR1, terminated)?;
        // The first Ctrl-C arms the second: order matters.
        flag::register_conditional_shutdown(
            SIGINT,
            ErrorKind::Interrupted.exit_code().into(),
            interrupted.clone(),
        )?;
        flag::register(SIGINT, interrupted)
    };
    register().map(|_| ()).map_err(|e: std::io::Error| Error::bug(format!("signals cannot be heeded: {e}")))
}

/// Ends what is going on when the process was asked to stop.
///
/// # Errors
/// Terminated, Interrupted: it was.
pub fn check() -> Result<()> {
    match requested() {
        Some(kind) => Err(Error::new(kind, "stopped; run again to resume: finished parts are kept")),
        None => Ok(()),
    }
}

/// Whether, and how, the process was asked to stop.
pub fn requested() -> Option<ErrorKind> {
    let (terminated, interrupted) = FLAGS.get()?;
    if interrupted.load(Ordering::Relaxed) {
        return Some(ErrorKind::Interrupted);
    }
    terminated.load(Ordering::Relaxed).then_some(ErrorKind::Terminated)
}
