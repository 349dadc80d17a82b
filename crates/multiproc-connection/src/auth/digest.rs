//! The digests.

use hmac::{
    KeyInit, Mac, SimpleHmac,
    digest::{self, common::BlockSizeUser},
};

/// A digest by which a key is proven.
///
/// # Python
///
/// The names that `deliver_challenge` takes as `digest_name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Digest {
    /// HMAC with MD5, for CPython 3.11 and before.
    Md5,
    /// HMAC with SHA-256.
    Sha256,
    /// HMAC with SHA-384.
    Sha384,
    /// HMAC with SHA3-256.
    Sha3_256,
    /// HMAC with SHA3-384.
    Sha3_384,
}

impl Digest {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Md5, Self::Sha256, Self::Sha384, Self::Sha3_256, Self::Sha3_384];

    /// The digest's name in the handshake.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(multiproc_connection::Digest::Sha3_256.name(), "sha3_256");
    /// ```
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha3_256 => "sha3_256",
            Self::Sha3_384 => "sha3_384",
        }
    }

    /// Takes `{name}` off the front of a message.
    pub(super) fn split_from(message: &[u8]) -> Option<(Self, &[u8])> {
        let rest = message.strip_prefix(b"{")?;
        let end = rest.iter().position(|byte| *byte == b'}')?;
        let digest = Self::ALL.into_iter().find(|digest| digest.name().as_bytes() == &rest[..end]);
        Some((digest?, &rest[end + 1..]))
    }

    /// Puts `{name}` in front of a message.
    pub(super) fn put_before(self, message: &[u8]) -> Vec<u8> {
        [b"{", self.name().as_bytes(), b"}", message].concat()
    }

    pub(super) fn mac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => mac::<md5::Md5>(key, message),
            Self::Sha256 => mac::<sha2::Sha256>(key, message),
            Self::Sha384 => mac::<sha2::Sha384>(key, message),
            Self::Sha3_256 => mac::<sha3::Sha3_256>(key, message),
            Self::Sha3_384 => mac::<sha3::Sha3_384>(key, message),
        }
    }
}

fn mac<D: digest::Digest + BlockSizeUser>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = SimpleHmac::<D>::new_from_slice(key).expect("a key may have any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}
