//! What happens in a child around its function.

use std::{error::Error, iter::successors};

use multiproc_image::{exit, family, logging};

use crate::{PanicReport, held, report::Report, thread};

/// Runs `function`, tells the starter what came of it, and leaves.
///
/// The value is sent before the order of leaving begins, so whoever waits for it does not wait for finalizers too.
pub(crate) fn child(function: impl FnOnce() -> Report) -> ! {
    logging::info(format_args!("child process calling self.run()"));
    let report = function();
    tell(&report);
    thread::join_all();
    exit::leave(report.code())
}

fn tell(report: &Report) {
    if let Some(socket) = held::SOCKET.get() {
        report.send(socket);
    }
}

/// What is told of a panic that ends the process without unwinding.
pub(crate) fn last_words(report: &PanicReport) {
    tell(&Report::Panicked(report.clone()));
}

/// Reports that the function cannot run.
pub(crate) fn refuse(why: &str) -> Report {
    print_error(why);
    Report::Refused(why.into())
}

/// Writes the line that says whose error follows, as Python does.
pub(crate) fn print_header(name: &str) {
    print(&format!("Process {name}:\n"));
}

/// Writes an error that ends this process.
pub(crate) fn print_error(text: &str) {
    print(&format!("Process {}:\nError: {text}\n", family::record().name));
}

/// One write a message, so that several processes do not mix theirs; a closed standard error is nobody's fault.
fn print(text: &str) {
    logging::write_stderr(text.as_bytes());
}

/// The text of an error and those of its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let texts: Vec<_> =
        successors(Some(error), |&error| error.source()).map(ToString::to_string).collect();
    texts.join(": ")
}
