//! What a bad peer makes of a good conversation.

/// Numbers that follow from a seed: splitmix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, or 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 32).unwrap() % bound.max(1)
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub(crate) fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.next() as u8).collect()
    }
}

/// Puts the length in front of a message.
pub(crate) fn frame(message: &[u8]) -> Vec<u8> {
    [&u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

/// The messages of a stream that is framed well, as far as it is.
pub(crate) fn messages(mut wire: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let Some((length, rest)) = wire.split_first_chunk::<4>() {
        let Some(message) = rest.get(..u32::from_be_bytes(*length) as usize) else { break };
        messages.push(message);
        wire = &rest[message.len()..];
    }
    messages
}

/// One of the seeds, damaged in one to three ways.
pub(crate) fn damaged(seeds: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut wire = random.pick(seeds).to_vec();
    for _ in 0..=random.below(3) {
        damage(&mut wire, seeds, random);
    }
    wire
}

fn damage(wire: &mut Vec<u8>, seeds: &[&[u8]], random: &mut Random) {
    let place = random.below(wire.len() + 1);
    match random.below(9) {
        // Cut off, at the end or the beginning.
        0 => wire.truncate(place),
        1 => drop(wire.drain(..place)),
        // Flipped.
        2 | 3 => {
            for _ in 0..=random.below(4) {
                let place = random.below(wire.len());
                if let Some(byte) = wire.get_mut(place) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
        // A header that promises more than comes, where a header stands or anywhere.
        4 | 5 => {
            let at = if random.below(2) == 0 { 0 } else { place };
            wire.splice(at..wire.len().min(at + 4), oversized(random));
        }
        // Said twice.
        6 => wire.extend_from_within(place..),
        // The end of another conversation.
        7 => {
            let other = random.pick(seeds);
            wire.truncate(place);
            wire.extend_from_slice(&other[random.below(other.len())..]);
        }
        // Made up.
        _ => {
            let made_up = random.bytes(300);
            wire.splice(place..place, made_up);
        }
    }
}

/// A header with a length that is large, in every form there is.
pub(crate) fn oversized(random: &mut Random) -> Vec<u8> {
    let lengths = [4097, 1 << 16, (1 << 30) + 1, 0x7fff_ffff, 1 << 31, 1 << 40, 1 << 63, u64::MAX];
    let length = *random.pick(&lengths);
    match random.below(3) {
        0 => (length.min(0x7fff_ffff) as u32).to_be_bytes().to_vec(),
        1 => [&(-1i32).to_be_bytes()[..], &length.to_be_bytes()].concat(),
        _ => {
            let handles = *random.pick(&[0u32, 1, 250, 251, 253, 254, u32::MAX]);
            let short = length.min(random.next() >> 52);
            [&(-2i32).to_be_bytes()[..], &handles.to_be_bytes(), &short.to_be_bytes()].concat()
        }
    }
}
