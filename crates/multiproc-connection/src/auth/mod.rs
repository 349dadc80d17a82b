//! Proving to each other that both ends know the key, without sending it.
//!
//! The handshake is CPython's since 3.12, and where MD5 is allowed also that of 3.11 and before.
//!
//! **Invariant:** nothing is decoded, and no descriptor is taken, from an end that has not shown
//! yet that it knows the key; and it is made to send at most [`LONGEST`] bytes at a time.

mod digest;
mod challenge;
mod dialogue;

use multiproc_image::family::AuthKey;

pub use self::digest::Digest;
pub(crate) use self::{
    challenge::{Challenge, FAILURE, WELCOME, answer},
    dialogue::Dialogue,
};
use crate::{AuthenticationError, Connection, patience::Patience};

/// The longest message of a handshake, in bytes.
pub(crate) const LONGEST: u64 = 256;

/// A key, and the digests with which it may be proven.
///
/// Its `Debug` form does not show the key.
///
/// # Python
///
/// An `authkey`. The digest to ask for is `deliver_challenge`'s `digest_name`.
///
/// # Examples
///
/// ```
/// use multiproc_connection::{Auth, Digest};
///
/// let auth = Auth::new("secret").digest(Digest::Sha384);
/// assert_eq!(format!("{auth:?}"), "Auth { key: AuthKey(6 bytes), digest: Sha384, md5: false }");
/// ```
#[derive(Clone, Debug)]
pub struct Auth {
    key: AuthKey,
    digest: Digest,
    md5: bool,
}

impl Auth {
    /// Takes a key, and asks for proofs by [`Digest::Sha256`].
    #[must_use]
    pub fn new(key: impl Into<AuthKey>) -> Self {
        Self { key: key.into(), digest: Digest::Sha256, md5: false }
    }

    /// Asks the other end for proofs by this digest.
    ///
    /// What the other end asks of us is answered with any digest but MD5.
    #[must_use]
    pub fn digest(mut self, digest: Digest) -> Self {
        self.digest = digest;
        self
    }

    /// Lets the other end use MD5, as CPython 3.11 and before does: it knows nothing else.
    #[must_use]
    pub fn allow_md5(mut self) -> Self {
        self.md5 = true;
        self
    }

    /// What a builder was told, if that was a key.
    pub(crate) fn of(key: Option<AuthKey>, digest: Digest, md5: bool) -> Option<Self> {
        Some(Self { key: key?, digest, md5 })
    }

    /// Whether a proof by this digest may be given at all.
    fn allows(&self, digest: Digest) -> bool {
        self.md5 || digest != Digest::Md5
    }

    fn mac(&self, digest: Digest, message: &[u8]) -> Vec<u8> {
        digest.mac(self.key.as_bytes(), message)
    }
}

/// Has the other end prove that it knows the key.
///
/// A listener does this first and lets itself be challenged second, a client the other way round.
/// Both do it by themselves when they have a key.
///
/// # Python
///
/// `multiprocessing.connection.deliver_challenge`.
///
/// # Errors
///
/// Returns [`AuthenticationError`] when the proof is wrong, which the other end is told, or the
/// connection fails. It should then be closed.
///
/// # Examples
///
/// ```
/// use multiproc_connection::{Auth, answer_challenge, deliver_challenge, pipe};
///
/// let (a, b) = pipe::<(), ()>()?;
/// let answering = std::thread::spawn(move || answer_challenge(&b, &Auth::new("secret")));
/// deliver_challenge(&a, &Auth::new("secret"))?;
/// answering.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn deliver_challenge<S, R>(
    connection: &Connection<S, R>,
    auth: &Auth,
) -> Result<(), AuthenticationError> {
    let challenge = Challenge::new(auth)?;
    connection.send_bytes(&challenge.message())?;
    let response = receive(connection)?;
    let verdict = challenge.verify(auth, &response);
    connection.send_bytes(if verdict.is_ok() { WELCOME } else { FAILURE })?;
    verdict
}

/// Proves to the other end that this one knows the key.
///
/// # Python
///
/// `multiprocessing.connection.answer_challenge`.
///
/// # Errors
///
/// Returns [`AuthenticationError`] when the other end does not ask for a proof or rejects the one it
/// gets, and when the connection fails. It should then be closed.
///
/// # Examples
///
/// ```
/// use multiproc_connection::{Auth, answer_challenge, deliver_challenge, pipe};
///
/// let (a, b) = pipe::<(), ()>()?;
/// let delivering = std::thread::spawn(move || deliver_challenge(&b, &Auth::new("secret")));
/// assert!(answer_challenge(&a, &Auth::new("wrong")).is_err());
/// assert!(delivering.join().unwrap().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn answer_challenge<S, R>(
    connection: &Connection<S, R>,
    auth: &Auth,
) -> Result<(), AuthenticationError> {
    let message = receive(connection)?;
    connection.send_bytes(&answer(auth, &message)?)?;
    if receive(connection)? == WELCOME { Ok(()) } else { Err(AuthenticationError::Rejected) }
}

fn receive<S, R>(connection: &Connection<S, R>) -> Result<Vec<u8>, AuthenticationError> {
    let received = connection.socket().recv_from_stranger(LONGEST, Patience::Endless);
    Ok(received?)
}

#[cfg(test)]
mod tests;
