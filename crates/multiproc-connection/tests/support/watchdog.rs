//! Ends a test binary that hangs.

use std::{
    io::{self, Write},
    process,
    sync::Once,
    thread,
    time::Duration,
};

/// How long all tests of a binary together may take before one of them counts as hung.
const PATIENCE: Duration = Duration::from_secs(600);

/// Starts the watchdog of this binary, if it does not run yet.
pub(crate) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        thread::spawn(|| {
            // Ends with the process, which is long before.
            thread::sleep(PATIENCE);
            let _ = writeln!(io::stderr().lock(), "a test hangs: no run takes {PATIENCE:?}");
            process::abort();
        });
    });
}
