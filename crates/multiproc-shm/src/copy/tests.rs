//! Every length around a word, at every alignment, by both ways.

use multiproc_sys::primitive::{AtomicBool, Ordering};

use super::*;

type Copy = unsafe fn(*mut u8, *const u8, usize);

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + 3) as u8).collect()
}

#[test]
fn every_length_and_alignment_arrives_and_nothing_beside_it() {
    let source = pattern(96);
    for (from, to, len) in places() {
        let mut target = vec![0xee; 96];
        // SAFETY: Both lie within the vectors.
        unsafe {
            copy_out(source.as_ptr().wrapping_add(from), target.as_mut_ptr().wrapping_add(to), len)
        };
        check(&source, &target, from, to, len);
        let mut target = vec![0xee; 96];
        // SAFETY: As above.
        unsafe {
            copy_in(source.as_ptr().wrapping_add(from), target.as_mut_ptr().wrapping_add(to), len)
        };
        check(&source, &target, from, to, len);
    }
}

#[test]
fn portable_way_does_the_same() {
    let source = pattern(96);
    for (from, to, len) in places() {
        for copy in [portable::copy as Copy, portable::copy_overlapping as Copy] {
            let mut target = vec![0xee; 96];
            // SAFETY: Both lie within the vectors.
            unsafe {
                copy(target.as_mut_ptr().wrapping_add(to), source.as_ptr().wrapping_add(from), len)
            };
            check(&source, &target, from, to, len);
        }
    }
}

#[test]
fn overlapping_places_are_copied_as_if_they_were_apart() {
    for copy in [routine::copy_overlapping as Copy, portable::copy_overlapping as Copy] {
        for (from, to, len) in places() {
            let mut bytes = pattern(96);
            let mut expected = bytes.clone();
            expected.copy_within(from..from + len, to);
            let start = bytes.as_mut_ptr();
            // SAFETY: Both lie within the vector.
            unsafe { copy(start.wrapping_add(to), start.wrapping_add(from), len) };
            assert_eq!(bytes, expected, "{from} {to} {len}");
        }
    }
}

#[test]
fn fill_sets_exactly_the_bytes_named() {
    for fill in [routine::fill as unsafe fn(*mut u8, u8, usize), portable::fill] {
        let mut bytes = vec![1; 64];
        // SAFETY: Within the vector.
        unsafe { fill(bytes.as_mut_ptr().wrapping_add(5), 0xab, 33) };
        assert_eq!(bytes, [&[1; 5][..], &[0xab; 33], &[1; 26]].concat());
    }
}

#[test]
fn aligned_word_is_never_seen_half_written() {
    let word = multiproc_sys::primitive::AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (shared, stop) = (&word, &stop);
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                for value in [0, u64::MAX] {
                    // SAFETY: Shared and private are both eight bytes long.
                    unsafe {
                        copy_in(
                            (&raw const value).cast(),
                            shared.as_ptr().cast(),
                            size_of::<u64>(),
                        );
                    }
                }
            }
        });
        for _ in 0..100_000 {
            let mut value = 1u64;
            // SAFETY: As above.
            unsafe { copy_out(shared.as_ptr().cast(), (&raw mut value).cast(), size_of::<u64>()) };
            assert!(value == 0 || value == u64::MAX, "{value:x}");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

fn places() -> impl Iterator<Item = (usize, usize, usize)> {
    let alignments = (0..9).flat_map(|from| (0..9).map(move |to| (from, to)));
    alignments.flat_map(|(from, to)| (0..80).map(move |len| (from, to, len)))
}

fn check(source: &[u8], target: &[u8], from: usize, to: usize, len: usize) {
    assert_eq!(target[to..to + len], source[from..from + len], "{from} {to} {len}");
    assert!(target[..to].iter().chain(&target[to + len..]).all(|byte| *byte == 0xee));
}
