//! Text with lone surrogates: Python has it, Rust's `str` has not.

/// The characters and surrogates of bytes, up to the first that are neither.
#[derive(Clone)]
pub(super) struct Chars<'a>(pub(super) &'a [u8]);

impl Iterator for Chars<'_> {
    type Item = Result<char, u32>;

    fn next(&mut self) -> Option<Self::Item> {
        if let [0xed, high @ 0xa0..=0xbf, low @ 0x80..=0xbf, rest @ ..] = self.0 {
            self.0 = rest;
            return Some(Err(0xd000 | u32::from(high & 0x3f) << 6 | u32::from(low & 0x3f)));
        }
        let len = match self.0.first()? {
            0..0x80 => 1,
            0x80..0xe0 => 2,
            0xe0..0xf0 => 3,
            0xf0.. => 4,
        };
        let (head, rest) = self.0.split_at_checked(len)?;
        let char = str::from_utf8(head).ok()?.chars().next()?;
        self.0 = rest;
        Some(Ok(char))
    }
}

/// Returns whether bytes are text, surrogates allowed.
pub(super) fn are_text(bytes: &[u8]) -> bool {
    let mut chars = Chars(bytes);
    chars.by_ref().for_each(drop);
    chars.0.is_empty()
}

/// Appends a character or surrogate.
pub(super) fn push(text: &mut Vec<u8>, code: u32) -> bool {
    match char::from_u32(code) {
        Some(char) => text.extend(char.encode_utf8(&mut [0; 4]).bytes()),
        None if code <= 0xffff => {
            let [high, low] = [code >> 6, code].map(|bits| 0x80 | (bits & 0x3f) as u8);
            text.extend([0xed, high, low]);
        }
        None => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_surrogate_comes_back_and_nothing_else_is_let_in() {
        for code in (0..0x80).chain(0xd7fe..0xe002).chain([0xffff, 0x10000, 0x10ffff]) {
            let mut text = vec![];
            assert!(push(&mut text, code));
            assert!(are_text(&text));
            assert_eq!(str::from_utf8(&text).is_ok(), char::from_u32(code).is_some());
            let chars: Vec<_> = Chars(&text).collect();
            assert_eq!(chars, [char::from_u32(code).ok_or(code)]);
            assert!(!are_text(&text[1..]) || text.len() == 1);
            assert!(text.len() == 1 || !are_text(&text[..text.len() - 1]));
        }
        assert!(!push(&mut vec![], 0x110000));
        assert!(!are_text(b"a\xff") && !are_text(b"\xc0\x80") && are_text(b"a\xed\xb2\x80z"));
    }
}
