//! One challenge, its answer and the verdict.

use subtle::ConstantTimeEq;

use super::{Auth, Digest};
use crate::AuthenticationError;

const CHALLENGE: &[u8] = b"#CHALLENGE#";
pub(crate) const WELCOME: &[u8] = b"#WELCOME#";
pub(crate) const FAILURE: &[u8] = b"#FAILURE#";

/// How much of a challenge is random.
const RANDOM: usize = 40;
/// The length of a challenge by CPython 3.11 and before, which names no digest.
const OLD_CHALLENGE: usize = 20;
/// The length of an answer that names no digest.
const OLD_ANSWER: usize = 16;

/// What the other end is to sign: `{digest}` and random bytes.
pub(crate) struct Challenge(Vec<u8>);

impl Challenge {
    pub(crate) fn new(auth: &Auth) -> Result<Self, AuthenticationError> {
        let mut random = [0; RANDOM];
        getrandom::fill(&mut random).map_err(|err| AuthenticationError::Random(err.into()))?;
        Ok(Self(auth.digest.put_before(&random)))
    }

    #[cfg(test)]
    pub(super) fn with_body(body: &[u8]) -> Self {
        Self(body.to_vec())
    }

    /// The challenge as it is sent.
    pub(crate) fn message(&self) -> Vec<u8> {
        [CHALLENGE, &self.0].concat()
    }

    /// Returns true if `message` is this very challenge.
    pub(crate) fn is(&self, message: &[u8]) -> bool {
        message.strip_prefix(CHALLENGE) == Some(&self.0)
    }

    /// Checks what the other end answered.
    ///
    /// The digest has to be the one that was asked for. An old peer takes no notice of that and
    /// signs with MD5, which is good only where it is allowed.
    pub(crate) fn verify(&self, auth: &Auth, response: &[u8]) -> Result<(), AuthenticationError> {
        let (digest, mac) = match response.len() {
            OLD_ANSWER => (Digest::Md5, response),
            _ => Digest::split_from(response).ok_or(AuthenticationError::UnknownDigest)?,
        };
        let asked = Digest::split_from(&self.0).map(|(digest, _)| digest);
        let is_fit = digest == Digest::Md5 || asked.is_none_or(|asked| asked == digest);
        if !is_fit || !auth.allows(digest) {
            return Err(AuthenticationError::DigestRefused(digest));
        }
        // The digest's name is signed too, so that nobody between the ends can have changed it.
        if auth.mac(digest, &self.0).ct_eq(mac).into() {
            Ok(())
        } else {
            Err(AuthenticationError::WrongDigest)
        }
    }
}

/// Answers the other end's challenge.
pub(crate) fn answer(auth: &Auth, message: &[u8]) -> Result<Vec<u8>, AuthenticationError> {
    let body = message.strip_prefix(CHALLENGE).ok_or(AuthenticationError::NoChallenge)?;
    let digest = match body.len() {
        ..OLD_CHALLENGE => return Err(AuthenticationError::ShortChallenge(body.len())),
        OLD_CHALLENGE => None,
        _ => Some(Digest::split_from(body).ok_or(AuthenticationError::UnknownDigest)?.0),
    };
    let used = digest.unwrap_or(Digest::Md5);
    if !auth.allows(used) {
        return Err(AuthenticationError::DigestRefused(used));
    }
    let mac = auth.mac(used, body);
    Ok(digest.map_or_else(|| mac.clone(), |digest| digest.put_before(&mac)))
}
