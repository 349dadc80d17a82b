//! The tracker itself.

use std::{collections::BTreeSet, io, os::fd::AsFd};

use multiproc_image::{Boot, exit, logging};
use multiproc_sys::{
    attributes::{set_signal_mask, signal_mask},
    descriptors, packet,
    signals::{Disposition, Signal},
};

use super::message::{Message, Registration};
use crate::shared_memory::place;

/// What it says when it has made itself deaf to Ctrl-C and listens.
pub(super) const READY: &[u8] = b"ready";

/// After so many packets in a row that could not be received it gives up, and removes nothing.
const PATIENCE: usize = 1000;

/// Is the tracker: the entry of a fresh copy.
pub(super) fn serve(boot: Boot) {
    let clients = boot.socket;
    // It has to outlive what ends the program: Ctrl-C, `killall`, and what is sent to the whole process group.
    let _ = Disposition::ignore(Signal::Interrupt);
    let _ = Disposition::ignore(Signal::Terminate);
    set_signal_mask(signal_mask() & !(Signal::Interrupt.bit() | Signal::Terminate.bit()));
    let _ = rustix::process::setsid();
    // Nor may it hold what others wait for: the end of a pipe, or a folder that is to be unmounted.
    let _ = descriptors::stdin_from_null();
    let _ = descriptors::replace(1, rustix::stdio::stdin());
    let _ = rustix::process::chdir("/");

    let mut tracker = Tracker::default();
    if packet::send(clients.as_fd(), READY, &[]).is_ok() {
        let (mut bytes, mut failures) = (Vec::new(), 0);
        loop {
            match packet::recv(clients.as_fd(), &mut bytes, &mut Vec::new()) {
                Ok(true) => {
                    failures = 0;
                    if let Err(why) = tracker.hear(&bytes) {
                        say(&why);
                    }
                }
                Ok(false) => break,
                Err(err) => {
                    failures += 1;
                    tracker.is_confused = true;
                    say(&format!("a message was lost: {err}"));
                    if failures == PATIENCE {
                        exit::leave(3);
                    }
                }
            }
        }
    }
    let code = tracker.clean(place::remove_exactly, say);
    exit::leave(code)
}

fn say(what: &str) {
    logging::write_stderr(format!("resource_tracker: {what}\n").as_bytes());
}

/// What is to be removed at the end.
#[derive(Debug, Default)]
struct Tracker {
    names: BTreeSet<Registration>,
    /// It was told something that it did not understand.
    is_confused: bool,
}

impl Tracker {
    /// Takes in one packet; an error is what to say of one that makes no sense, which changes nothing.
    fn hear(&mut self, bytes: &[u8]) -> Result<(), String> {
        match multiproc_wire::decode(bytes, Vec::new()) {
            Ok(Message::Register(registration)) => {
                if let Err(err) = place::check_name(&registration.name) {
                    self.is_confused = true;
                    return Err(format!("cannot register a name: {err}"));
                }
                self.names.insert(registration);
            }
            Ok(Message::Unregister(registration)) => {
                self.names.remove(&registration);
            }
            Ok(Message::Probe) => {}
            Err(err) => {
                self.is_confused = true;
                return Err(format!("unrecognized message: {err}"));
            }
        }
        Ok(())
    }

    /// Removes what is left, by `remove`, and returns the exit code.
    fn clean(
        &self,
        remove: impl Fn(&str, (u64, u64)) -> io::Result<()>,
        say: impl Fn(&str),
    ) -> i32 {
        let mut code = if self.is_confused { 3 } else { 0 };
        if self.names.is_empty() {
            return code;
        }
        code = 1;
        let names: Vec<String> = self.names.iter().map(Registration::to_string).collect();
        say(&format!(
            "There appear to be {} leaked shared_memory objects to clean up at shutdown: {{{}}}",
            names.len(),
            names.join(", ")
        ));
        for registration in &self.names {
            if let Err(err) = remove(&registration.name, registration.identity) {
                code = 2;
                say(&format!("{registration}: {err}"));
            }
        }
        code
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn registration(name: &str) -> Registration {
        Registration { name: name.into(), identity: (1, 2) }
    }

    fn tell(tracker: &mut Tracker, message: &Message) -> Result<(), String> {
        tracker.hear(&multiproc_wire::encode(message).unwrap().bytes)
    }

    fn clean(tracker: &Tracker) -> (i32, Vec<String>) {
        let said = RefCell::new(Vec::new());
        let remove = |name: &str, _| match name {
            "gone" => Err(io::Error::from_raw_os_error(libc::ENOENT)),
            _ => Ok(()),
        };
        let code = tracker.clean(remove, |line| said.borrow_mut().push(line.to_owned()));
        (code, said.into_inner())
    }

    // parity: tracker.protocol
    #[test]
    fn nothing_left_is_nothing_said() {
        let mut tracker = Tracker::default();
        tell(&mut tracker, &Message::Register(registration("a"))).unwrap();
        tell(&mut tracker, &Message::Register(registration("a"))).unwrap();
        assert_eq!(tracker.names.len(), 1);
        tell(&mut tracker, &Message::Probe).unwrap();
        assert_eq!(tracker.names.len(), 1);
        tell(&mut tracker, &Message::Unregister(registration("a"))).unwrap();
        assert_eq!(clean(&tracker), (0, vec![]));
    }

    // parity: tracker.bad-line
    #[test]
    fn nonsense_is_reported_and_changes_nothing() {
        let mut tracker = Tracker::default();
        tell(&mut tracker, &Message::Register(registration("kept"))).unwrap();
        for nonsense in [&b""[..], b"REGISTER:name:shared_memory\n", b"\x63", b"\x00\x05ab"] {
            assert!(tracker.hear(nonsense).unwrap_err().starts_with("unrecognized message"));
        }
        for name in ["", "a/b", "..", "nul\0"] {
            let message = Message::Register(registration(name));
            assert!(tell(&mut tracker, &message).unwrap_err().contains("cannot register"));
        }
        tell(&mut tracker, &Message::Unregister(registration("unknown"))).unwrap();
        assert_eq!(clean(&tracker).0, 1, "what is left counts for more");
        tell(&mut tracker, &Message::Unregister(registration("kept"))).unwrap();
        assert_eq!(clean(&tracker), (3, vec![]));
    }

    #[test]
    fn what_is_left_is_counted_named_and_removed() {
        let mut tracker = Tracker::default();
        for name in ["left", "gone", "left too"] {
            tell(&mut tracker, &Message::Register(registration(name))).unwrap();
        }
        let (code, said) = clean(&tracker);
        assert_eq!(code, 2);
        assert_eq!(
            said,
            [
                "There appear to be 3 leaked shared_memory objects to clean up at shutdown: \
                 {'/gone', '/left', '/left too'}",
                "'/gone': No such file or directory (os error 2)",
            ]
        );
    }
}
