//! Handles in values: where they go, and what becomes of those nobody takes.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::{PipeReader, PipeWriter, Read, Write},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use multiproc_wire::{Fd, Handle, Message, decode, encode};
use serde::{Deserialize, Serialize};

pub(crate) fn null() -> Handle {
    Handle::from(OwnedFd::from(File::open("/dev/null").unwrap()))
}

/// Returns the pipe's reader, which sees the end once every copy of the returned handle is closed.
fn canary() -> (PipeReader, Handle) {
    let (reader, writer) = std::io::pipe().unwrap();
    (reader, Handle::from(OwnedFd::from(writer)))
}

fn is_closed(mut reader: PipeReader) -> bool {
    rustix::io::ioctl_fionbio(&reader, true).unwrap();
    matches!(reader.read(&mut [0]), Ok(0))
}

fn inode(fd: impl AsFd) -> u64 {
    rustix::fs::fstat(fd).unwrap().st_ino
}

#[test]
fn handles_travel_anywhere_in_a_value() {
    #[derive(Serialize, Deserialize)]
    enum Place {
        Here(Handle),
        There { maybe: Option<Handle>, map: BTreeMap<u8, (Handle, u8)> },
    }
    let [a, b, c, d] = [(); 4].map(|()| canary().1);
    let value = (
        vec![Place::Here(a.clone())],
        Place::There {
            maybe: Some(b.clone()),
            map: BTreeMap::from([(1, (c.clone(), 2)), (3, (d.clone(), 4))]),
        },
    );
    let message = encode(&value).unwrap();
    assert_eq!(message.handles.len(), 4);

    let (list, there): (Vec<Place>, Place) = message.decode().unwrap();
    let [Place::Here(first)] = &list[..] else { panic!("another variant") };
    let Place::There { maybe, map } = there else { panic!("another variant") };
    assert_eq!(inode(first), inode(&a));
    assert_eq!(inode(maybe.unwrap()), inode(&b));
    assert_eq!(inode(&map[&1].0), inode(&c));
    assert_eq!(inode(&map[&3].0), inode(&d));
}

#[test]
fn three_hundred_handles_keep_their_order() {
    let handles: Vec<_> = (0..300).map(|_| canary().1).collect();
    let copies: Vec<Handle> = encode(&handles).unwrap().decode().unwrap();
    assert_eq!(copies.len(), 300);
    for (copy, handle) in copies.iter().zip(&handles) {
        assert_eq!(inode(copy), inode(handle));
    }
    let numbers: HashSet<_> = copies.iter().chain(&handles).map(AsRawFd::as_raw_fd).collect();
    assert_eq!(numbers.len(), 600, "each is a descriptor of its own");
}

#[test]
fn unclaimed_handles_are_closed() {
    let (reader, handle) = canary();
    assert_eq!(decode::<u8>(&[1], vec![handle.into_owned().unwrap()]), Ok(1));
    assert!(is_closed(reader));
}

#[test]
fn handles_of_a_failed_decode_are_closed_claimed_or_not() {
    let (readers, handles): (Vec<_>, Vec<_>) = (0..3).map(|_| canary()).unzip();
    let message = encode(&(handles, true)).unwrap();
    let Message { mut bytes, handles } = message;
    *bytes.last_mut().unwrap() = 9;
    assert!(Message { bytes, handles }.decode::<(Vec<Handle>, bool)>().is_err());
    assert!(readers.into_iter().all(is_closed));
}

#[test]
fn last_clone_closes() {
    let (reader, handle) = canary();
    let message = encode(&[handle.clone(), handle]).unwrap();
    let [one, two]: [Handle; 2] = message.decode().unwrap();
    drop(one);
    two.into_owned().unwrap();
    assert!(is_closed(reader));
}

#[test]
fn handle_that_is_not_there_is_an_error() {
    let err = decode::<Handle>(&[1], vec![null().into_owned().unwrap()]).unwrap_err();
    assert_eq!(err.kind().to_string(), "handle 1 of a message that came with 1");
    let err = decode::<Handle>(&[0], vec![]).unwrap_err();
    assert_eq!(err.kind().to_string(), "handle 0 of a message that came with 0");
}

#[test]
fn handle_taken_twice_is_an_error() {
    let err = decode::<[Handle; 2]>(&[0, 0], vec![null().into_owned().unwrap()]).unwrap_err();
    assert_eq!(err.kind().to_string(), "handle 0 is taken twice from one message");
}

#[test]
fn handles_outside_a_transfer_are_errors_that_say_what_to_do() {
    let err = serde_json::to_string(&null()).unwrap_err().to_string();
    assert!(err.contains("only inside a message") && err.contains("send it over"), "{err}");
    let err = serde_json::to_string(&Fd(File::open("/dev/null").unwrap())).unwrap_err().to_string();
    assert!(err.contains("only inside a message"), "{err}");
    let err = serde_json::from_str::<Handle>("0").unwrap_err().to_string();
    assert!(err.contains("only out of a message") && err.contains("receive it"), "{err}");
}

#[test]
fn foreign_types_travel_by_attribute_and_by_newtype() {
    #[derive(Serialize, Deserialize)]
    struct Ends {
        #[serde(with = "multiproc_wire::fd")]
        reader: PipeReader,
        #[serde(with = "multiproc_wire::fd")]
        writer: PipeWriter,
    }
    let (reader, writer) = std::io::pipe().unwrap();
    let (left, mut right) = UnixStream::pair().unwrap();
    let message = encode(&(Ends { reader, writer }, Fd(left))).unwrap();
    let (ends, left): (Ends, Fd<UnixStream>) = message.decode().unwrap();

    let Ends { mut reader, mut writer } = ends;
    writer.write_all(b"through").unwrap();
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "through");

    left.into_inner().write_all(b"again").unwrap();
    text.clear();
    right.read_to_string(&mut text).unwrap();
    assert_eq!(text, "again");
}

#[test]
fn serialised_value_keeps_its_own_descriptor() {
    let file = Fd(File::open("/dev/null").unwrap());
    let copy: Fd<File> = encode(&file).unwrap().decode().unwrap();
    assert_ne!(copy.as_raw_fd(), file.as_raw_fd());
    assert_eq!(inode(&copy.0), inode(&file.0));
    // Both are closed on exec: a duplicate made here must not leak into a program.
    let flags = rustix::io::fcntl_getfd(&copy.0).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
}
