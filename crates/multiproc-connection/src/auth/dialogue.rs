//! The whole handshake of one end, as a machine that neither reads nor writes.

use super::{Auth, Challenge, FAILURE, WELCOME, answer};
use crate::AuthenticationError;

/// The handshake of one end.
///
/// | | listener | client |
/// |---|---|---|
/// | 1 | sends its challenge, awaits the response | awaits the challenge |
/// | 2 | welcomes, awaits the challenge | responds, awaits the verdict |
/// | 3 | responds, awaits the verdict | sends its challenge, awaits the response |
/// | 4 | is done | welcomes and is done |
pub(crate) struct Dialogue {
    auth: Auth,
    ours: Challenge,
    awaited: Awaited,
    is_listener: bool,
}

enum Awaited {
    Response,
    Challenge,
    Verdict,
}

/// What follows from a message.
pub(crate) struct Step {
    /// What to send, also when the handshake has failed.
    pub(crate) reply: Option<Vec<u8>>,
    /// Whether the handshake is over.
    pub(crate) result: Result<bool, AuthenticationError>,
}

impl Step {
    fn reply(message: Vec<u8>) -> Self {
        Self { reply: Some(message), result: Ok(false) }
    }

    fn failed(err: AuthenticationError) -> Self {
        Self { reply: None, result: Err(err) }
    }
}

impl Dialogue {
    /// Begins as a listener, and returns what to send.
    pub(crate) fn listener(auth: Auth) -> Result<(Self, Vec<u8>), AuthenticationError> {
        let ours = Challenge::new(&auth)?;
        let opening = ours.message();
        Ok((Self { auth, ours, awaited: Awaited::Response, is_listener: true }, opening))
    }

    /// Begins as a client, which waits to be spoken to.
    pub(crate) fn client(auth: Auth) -> Result<Self, AuthenticationError> {
        let ours = Challenge::new(&auth)?;
        Ok(Self { auth, ours, awaited: Awaited::Challenge, is_listener: false })
    }

    /// Takes the next message of the other end.
    pub(crate) fn step(&mut self, message: &[u8]) -> Step {
        match self.awaited {
            Awaited::Response => match self.ours.verify(&self.auth, message) {
                Ok(()) => {
                    self.awaited = Awaited::Challenge;
                    Step { reply: Some(WELCOME.to_vec()), result: Ok(!self.is_listener) }
                }
                Err(err) => Step { reply: Some(FAILURE.to_vec()), result: Err(err) },
            },
            // Whoever knows the key makes challenges of their own.
            Awaited::Challenge if self.ours.is(message) => {
                Step::failed(AuthenticationError::Reflected)
            }
            Awaited::Challenge => match answer(&self.auth, message) {
                Ok(response) => {
                    self.awaited = Awaited::Verdict;
                    Step::reply(response)
                }
                Err(err) => Step::failed(err),
            },
            Awaited::Verdict if message != WELCOME => Step::failed(AuthenticationError::Rejected),
            Awaited::Verdict if self.is_listener => Step { reply: None, result: Ok(true) },
            Awaited::Verdict => {
                self.awaited = Awaited::Response;
                Step::reply(self.ours.message())
            }
        }
    }
}
