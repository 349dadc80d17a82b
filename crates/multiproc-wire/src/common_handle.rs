//! A descriptor that many values of one message refer to.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::{Handle, transfer, transfer::CommonKey};

/// A descriptor that many values of one message refer to, and that travels once.
///
/// A [`Handle`] that stands twice in a message arrives as two; a thousand values of the same file would be a thousand
/// descriptors. Those that say so by this type arrive as handles to one.
///
/// # If a process dies
///
/// As for [`Handle`].
///
/// # Examples
///
/// ```
/// use std::{fs::File, io, os::fd::AsFd};
///
/// use multiproc_wire::{CommonHandle, Handle};
/// use serde::{Serialize, Serializer};
///
/// struct Line(u64);
///
/// impl Serialize for Line {
///     fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
///         let file = CommonHandle::of_message(("lines", 0, 0), || {
///             File::open("/dev/null").map(|file| Handle::from(std::os::fd::OwnedFd::from(file)))
///         });
///         (file.map_err(serde::ser::Error::custom)?, self.0).serialize(serializer)
///     }
/// }
///
/// let message = multiproc_wire::encode(&[Line(1), Line(2), Line(3)])?;
/// assert_eq!(message.handles.len(), 1);
///
/// let lines: Vec<(CommonHandle, u64)> = multiproc_wire::encode(&vec![Line(1), Line(2)])?.decode()?;
/// assert!(lines[0].0.as_fd().try_clone_to_owned().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct CommonHandle {
    handle: Handle,
    key: CommonKey,
}

impl CommonHandle {
    /// Returns the handle that the message being written on this thread has under `key`, or else what `make` makes.
    ///
    /// Whatever is done with the descriptor before the message is complete, its receiver finds done.
    ///
    /// # Errors
    ///
    /// What `make` reports.
    pub fn of_message(
        key: (&'static str, u64, u64),
        make: impl FnOnce() -> io::Result<Handle>,
    ) -> io::Result<Self> {
        let handle = match transfer::find_common(key) {
            Some(handle) => handle,
            None => make()?,
        };
        Ok(Self { handle, key })
    }

    /// Returns the descriptor as a handle that shares it.
    #[must_use]
    pub fn into_handle(self) -> Handle {
        self.handle
    }
}

impl AsFd for CommonHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

impl Serialize for CommonHandle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let index = match transfer::index_of_common(self.key, &self.handle) {
            Some(index) => index,
            None => {
                transfer::push_common(self.key, self.handle.clone()).map_err(ser::Error::custom)?
            }
        };
        serializer.serialize_u32(index)
    }
}

impl<'de> Deserialize<'de> for CommonHandle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let index = u32::deserialize(deserializer)?;
        let handle = transfer::take_common(index).map_err(de::Error::custom)?;
        // A key that no message has: sent on, it is one of its own.
        Ok(Self { handle, key: ("", 0, u64::from(index)) })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::fd::OwnedFd};

    use super::*;
    use crate::{Message, encode};

    struct Named(u64);

    fn open() -> io::Result<Handle> {
        Ok(OwnedFd::from(File::open("/dev/null")?).into())
    }

    impl Serialize for Named {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            CommonHandle::of_message(("test", 0, self.0), open)
                .map_err(ser::Error::custom)?
                .serialize(serializer)
        }
    }

    fn is_one(one: &CommonHandle, other: &CommonHandle) -> bool {
        one.handle.is_same(&other.handle)
    }

    #[test]
    fn same_key_is_one_descriptor_and_another_key_another() {
        let message = encode(&[Named(1), Named(2), Named(1)]).unwrap();
        assert_eq!(message.handles.len(), 2);
        let [a, b, c]: [CommonHandle; 3] = message.decode().unwrap();
        assert!(is_one(&a, &c) && !is_one(&a, &b));
        assert_eq!(encode(&Named(1)).unwrap().handles.len(), 1, "of each message its own");
    }

    #[test]
    fn message_inside_a_message_has_its_own() {
        struct Nested;
        impl Serialize for Nested {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                encode(&[Named(1), Named(1)]).unwrap().serialize(serializer)
            }
        }
        let message = encode(&(Named(1), Nested, Named(1))).unwrap();
        assert_eq!(message.handles.len(), 2);
        let (a, nested, b): (CommonHandle, Message, CommonHandle) = message.decode().unwrap();
        let (c, d): (CommonHandle, CommonHandle) = nested.decode().unwrap();
        assert!(is_one(&a, &b) && is_one(&c, &d) && !is_one(&a, &c));
    }

    #[test]
    fn those_of_two_messages_are_two_however_often_they_are_sent_on() {
        let received = || -> CommonHandle { encode(&Named(1)).unwrap().decode().unwrap() };
        let (a, b) = (received(), received());
        let message = encode(&[&a, &b, &a, &b]).unwrap();
        assert_eq!(message.handles.len(), 2);
        let [a, b, c, d]: [CommonHandle; 4] = message.decode().unwrap();
        assert!(is_one(&a, &c) && is_one(&b, &d) && !is_one(&a, &b));
    }

    #[test]
    fn cannot_be_common_and_taken() {
        let message = encode(&[Named(1), Named(1)]).unwrap();
        assert!(message.decode::<(CommonHandle, Handle)>().is_err());
        let message = encode(&[Named(1), Named(1)]).unwrap();
        assert!(message.decode::<(Handle, CommonHandle)>().is_err());
    }
}
