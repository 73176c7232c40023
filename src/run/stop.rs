//! Signals: SIGTERM and SIGUSR1 (a scheduler wants the machine back), SIGINT (somebody pressed Ctrl-C).
//!
//! A signal lets running tasks finish and starts no new one; a second Ctrl-C ends the process at once.

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

/// Whether, and how, the process was asked to stop.
pub fn requested() -> Option<ErrorKind> {
    let (terminated, interrupted) = FLAGS.get()?;
    if interrupted.load(Ordering::Relaxed) {
        return Some(ErrorKind::Interrupted);
    }
    terminated.load(Ordering::Relaxed).then_some(ErrorKind::Terminated)
}
