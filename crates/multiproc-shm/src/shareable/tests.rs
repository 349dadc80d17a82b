//! Shapes, and bytes that are no values.

use super::*;

#[test]
fn shapes_differ_where_types_do() {
    let shapes = [
        i32::SHAPE,
        u32::SHAPE,
        f32::SHAPE,
        i64::SHAPE,
        bool::SHAPE,
        char::SHAPE,
        <()>::SHAPE,
        <[i32; 2]>::SHAPE,
        <[[i32; 2]; 1]>::SHAPE,
        <[[i32; 1]; 2]>::SHAPE,
        <(i32, i32)>::SHAPE,
        <(i32, u32)>::SHAPE,
        <(u32, i32)>::SHAPE,
        <((i32, i32),)>::SHAPE,
        Shape::structure("A", 8, &[("x", 0, i32::SHAPE), ("y", 4, i32::SHAPE)]),
        Shape::structure("B", 8, &[("x", 0, i32::SHAPE), ("y", 4, i32::SHAPE)]),
        Shape::structure("A", 8, &[("x", 4, i32::SHAPE), ("y", 0, i32::SHAPE)]),
        Shape::structure("A", 8, &[("xy", 0, i32::SHAPE), ("", 4, i32::SHAPE)]),
    ];
    for (at, shape) in shapes.iter().enumerate() {
        assert!(shapes[..at].iter().all(|other| other.print() != shape.print()), "{at}");
    }
}

#[test]
fn padding_and_patterns_are_known() {
    assert!(!<(u32, [u16; 2])>::SHAPE.has_padding() && <(u32, u8)>::SHAPE.has_padding());
    assert!(<[(u32, u8); 2]>::SHAPE.has_padding() && !<[(u32, u8); 0]>::SHAPE.has_padding());
    assert!(<(u32, f64)>::SHAPE.is_any() && !<(u32, bool)>::SHAPE.is_any());
    assert!(!<[char; 2]>::SHAPE.is_any());
    assert_eq!(<(u64, u8)>::SHAPE.size(), 16);
}

#[test]
fn only_what_is_no_value_is_repaired() {
    type Mixed = (char, bool, u8);
    let mut bytes = [0xff; size_of::<Mixed>()];
    ('x', true, 9u8).store(&mut bytes);
    let stored = bytes;
    Mixed::repair(&mut bytes);
    assert_eq!(bytes, stored, "a value stays");
    bytes[std::mem::offset_of!(Mixed, 1)] = 2;
    Mixed::repair(&mut bytes);
    let mut expected = stored;
    expected[std::mem::offset_of!(Mixed, 1)] = 0;
    assert_eq!(bytes, expected, "and so do its neighbours");

    for (number, character) in [(0xd800, '\0'), (0x11_0000, '\0'), (0x10_ffff, '\u{10ffff}')] {
        let mut bytes = u32::to_ne_bytes(number);
        char::repair(&mut bytes);
        assert_eq!(bytes, u32::from(character).to_ne_bytes());
    }
}
