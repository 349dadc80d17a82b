//! What identifies this executable, and where its code lies.
//!
//! A function is named by its distance from where the image was loaded. That name means the same in every process that
//! runs the same image, and nothing anywhere else: so the build id travels with it, and an address outside the main
//! image (a plug-in's function) is refused, never guessed.

#![expect(
    unsafe_code,
    reason = "reads the program headers and the notes of this image from memory"
)]

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::OnceLock,
};

use libc::{Elf64_Phdr as ProgramHeader, PF_X, PT_LOAD, PT_NOTE, PT_PHDR};
use rustix::fs::{AtFlags, Mode, OFlags, openat, statx};

/// The image of this process.
#[derive(Debug)]
pub(crate) struct Executable {
    /// What distinguishes this build from others.
    build: Build,
    /// Address at which the image was loaded.
    base: usize,
    /// Addresses of its code, relative to `base`.
    code: Vec<std::ops::Range<usize>>,
}

/// The file that the image was loaded from.
#[derive(Debug)]
struct File {
    descriptor: OwnedFd,
    /// Which file that is, to notice that somebody has closed the descriptor.
    identity: Option<(u64, u64)>,
}

/// What distinguishes one build of a program from another: the build id that the linker wrote, else the file's identity.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Build {
    /// The GNU build id.
    Id(Vec<u8>),
    /// Device, inode, size and time of change: an executable that runs cannot be written to.
    File([u64; 5]),
    /// Neither is to be had.
    Unknown,
}

/// The image of this process; looked at once, at the latest when it is first asked for.
pub(crate) fn this() -> &'static Executable {
    static THIS: OnceLock<Executable> = OnceLock::new();
    THIS.get_or_init(Executable::look)
}

/// The file of the image, opened once: by the hook at start-up in a process that was started in the ordinary way, in a
/// copy when it first starts another one. The name that is opened leads to the file that is in memory, whatever has become
/// of its path.
fn file() -> Option<&'static File> {
    static FILE: OnceLock<Option<File>> = OnceLock::new();
    let open = || {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let descriptor = openat(rustix::fs::CWD, c"/proc/self/exe", flags, Mode::empty()).ok()?;
        let identity = device_and_inode(descriptor.as_fd());
        Some(File { descriptor, identity })
    };
    FILE.get_or_init(open).as_ref()
}

/// The descriptor of the file; none if it could not be opened or somebody has closed it under us.
pub(crate) fn descriptor() -> Option<BorrowedFd<'static>> {
    let File { descriptor, identity } = file()?;
    (identity.is_some() && device_and_inode(descriptor.as_fd()) == *identity)
        .then(|| descriptor.as_fd())
}

impl Executable {
    fn look() -> Self {
        let headers = program_headers();
        let base = load_base(headers);
        let from_file = || file().and_then(|file| file_identity(&file.descriptor));
        let build = build_id(headers, base).map(Build::Id).or_else(from_file);
        let code = headers
            .iter()
            .filter(|header| header.p_type == PT_LOAD && header.p_flags & PF_X != 0)
            .map(|header| header.p_vaddr as usize..(header.p_vaddr + header.p_memsz) as usize)
            .collect();
        Self { build: build.unwrap_or(Build::Unknown), base, code }
    }

    pub(crate) fn build(&self) -> &Build {
        &self.build
    }

    /// The name of the code at `address` in every process that runs this image; none if it is not this image's code.
    pub(crate) fn offset_of(&self, address: usize) -> Option<u64> {
        let offset = address.checked_sub(self.base)?;
        self.code.iter().any(|range| range.contains(&offset)).then_some(offset as u64)
    }

    /// The address of the code named `offset`; none if it is not this image's code.
    pub(crate) fn address_of(&self, offset: u64) -> Option<usize> {
        let offset = usize::try_from(offset).ok()?;
        self.code
            .iter()
            .any(|range| range.contains(&offset))
            .then(|| self.base.wrapping_add(offset))
    }
}

/// A name for the executable that a person recognises, for error messages.
pub(crate) fn path_for_messages() -> String {
    std::env::current_exe()
        .map_or_else(|_| "this program".into(), |path| path.display().to_string())
}

fn device_and_inode(file: BorrowedFd<'_>) -> Option<(u64, u64)> {
    let stat = rustix::fs::fstat(file).ok()?;
    Some((stat.st_dev, stat.st_ino))
}

fn file_identity(file: &OwnedFd) -> Option<Build> {
    let mask = rustix::fs::StatxFlags::BASIC_STATS;
    let stat = statx(file, c"", AtFlags::EMPTY_PATH, mask).ok()?;
    let device = u64::from(stat.stx_dev_major) << 32 | u64::from(stat.stx_dev_minor);
    let (seconds, nanos) =
        (stat.stx_mtime.tv_sec.cast_unsigned(), u64::from(stat.stx_mtime.tv_nsec));
    Some(Build::File([device, stat.stx_ino, stat.stx_size, seconds, nanos]))
}

/// The program headers of the main image, as the kernel has told where they are.
fn program_headers() -> &'static [ProgramHeader] {
    // SAFETY: Reads the auxiliary vector.
    let table = unsafe { libc::getauxval(libc::AT_PHDR) } as *const ProgramHeader;
    // SAFETY: As above.
    let count = unsafe { libc::getauxval(libc::AT_PHNUM) } as usize;
    if table.is_null() {
        return &[];
    }
    // SAFETY: The kernel mapped the main image with this table and never unmaps or changes it.
    unsafe { std::slice::from_raw_parts(table, count) }
}

fn load_base(headers: &[ProgramHeader]) -> usize {
    let own = headers.iter().find(|header| header.p_type == PT_PHDR);
    own.map_or(0, |own| (headers.as_ptr() as usize).wrapping_sub(own.p_vaddr as usize))
}

fn build_id(headers: &[ProgramHeader], base: usize) -> Option<Vec<u8>> {
    headers.iter().filter(|header| header.p_type == PT_NOTE).find_map(|header| {
        let start = base.wrapping_add(header.p_vaddr as usize) as *const u8;
        // SAFETY: A note segment of the main image is mapped readable for as long as the process lives.
        let notes = unsafe { std::slice::from_raw_parts(start, header.p_memsz as usize) };
        build_id_note(notes)
    })
}

/// Finds the note `GNU`, type 3, in a note segment.
fn build_id_note(mut notes: &[u8]) -> Option<Vec<u8>> {
    const GNU_BUILD_ID: u32 = 3;
    let padded = |length: u32| (length as usize).next_multiple_of(4);
    loop {
        let (header, rest) = notes.split_at_checked(12)?;
        let word = |at: usize| {
            u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let (name_length, length, kind) = (word(0), word(4), word(8));
        let (name, rest) = rest.split_at_checked(padded(name_length))?;
        let (description, rest) = rest.split_at_checked(padded(length).min(rest.len()))?;
        if kind == GNU_BUILD_ID && name == b"GNU\0" && length > 0 {
            return description.get(..length as usize).map(<[u8]>::to_vec);
        }
        notes = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_code_has_a_name_and_foreign_code_has_none() {
        let image = this();
        let here = own_code_has_a_name_and_foreign_code_has_none as fn() as usize;
        let name = image.offset_of(here).unwrap();
        assert_eq!(image.address_of(name), Some(here));
        assert_eq!(
            image.offset_of(libc::getpid as *const () as usize),
            None,
            "the C library is another image"
        );
        assert_eq!(image.offset_of(&raw const name as usize), None, "the stack is no code");
        assert_eq!(image.address_of(u64::MAX), None);
    }

    #[test]
    fn note_is_found_behind_others_and_garbage_ends_the_search() {
        let note = |kind: u32, name: &[u8], text: &[u8]| {
            let mut bytes = Vec::new();
            for word in [name.len() as u32, text.len() as u32, kind] {
                bytes.extend(word.to_ne_bytes());
            }
            for part in [name, text] {
                bytes.extend(part);
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
            bytes
        };
        let notes =
            [note(5, b"GNU\0", b"xyz"), note(3, b"GNU\0", b"\x01\x02\x03\x04\x05")].concat();
        assert_eq!(build_id_note(&notes), Some(vec![1, 2, 3, 4, 5]));
        for cut in 0..notes.len() - 8 {
            assert_eq!(build_id_note(&notes[..cut]), None, "cut at {cut}");
        }
        assert_eq!(build_id_note(&[0xff; 64]), None);
    }
}
