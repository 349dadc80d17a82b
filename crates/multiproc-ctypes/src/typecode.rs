//! The letters by which Python's `array` names types.

/// The type that a letter of Python's means: `typecode!('i')` is `i32`.
///
/// | letter | type | bytes | in C |
/// |---|---|---|---|
/// | `'c'` | [`u8`] | 1 | `char`, of a string |
/// | `'u'` | [`char`] | 4 | `wchar_t` |
/// | `'b'`, `'B'` | [`i8`], [`u8`] | 1 | `signed char`, `unsigned char` |
/// | `'h'`, `'H'` | [`i16`], [`u16`] | 2 | `short` |
/// | `'i'`, `'I'` | [`i32`], [`u32`] | 4 | `int` |
/// | `'l'`, `'L'` | [`i64`], [`u64`] | 8 | `long` |
/// | `'q'`, `'Q'` | [`i64`], [`u64`] | 8 | `long long` |
/// | `'f'`, `'d'` | [`f32`], [`f64`] | 4, 8 | `float`, `double` |
///
/// Python's types convert what does not fit: 300 as a `'b'` becomes 44. In Rust the types are checked when the program is
/// built, and `300 as i8` says so where it is meant.
///
/// # Examples
///
/// ```
/// use multiproc_ctypes::{RawArray, RawValue, typecode};
///
/// let number = RawValue::<typecode!('d')>::new(2.4)?;
/// let zeros = RawArray::<typecode!('h')>::new(7)?;
/// assert_eq!((number.get(), zeros.to_vec()), (2.4, vec![0; 7]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// ```compile_fail
/// let unknown: multiproc_ctypes::typecode!('x');
/// ```
#[macro_export]
macro_rules! typecode {
    ('c') => {
        u8
    };
    ('u') => {
        char
    };
    ('b') => {
        i8
    };
    ('B') => {
        u8
    };
    ('h') => {
        i16
    };
    ('H') => {
        u16
    };
    ('i') => {
        i32
    };
    ('I') => {
        u32
    };
    ('l') => {
        i64
    };
    ('L') => {
        u64
    };
    ('q') => {
        i64
    };
    ('Q') => {
        u64
    };
    ('f') => {
        f32
    };
    ('d') => {
        f64
    };
    ($other:tt) => {
        compile_error!("the letters of types are c, u, b, B, h, H, i, I, l, L, q, Q, f and d")
    };
}
