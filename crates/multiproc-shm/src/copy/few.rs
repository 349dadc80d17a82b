//! Copies of few bytes by the processor's widest plain moves: shorter than the way to the C library's routine.
//!
//! Each copy is one or two pairs of moves that may overlap, so there is no loop. It is made in an assembly block for the
//! reason that the module around this one gives; the code that it stands for has one or two relaxed accesses for each byte.

use std::arch::asm;

/// Copies 5 to 64 bytes; false, and nothing is done, for another length.
///
/// # Safety
///
/// Both are valid for `len` bytes and do not overlap.
#[inline]
pub(super) unsafe fn copy(to: *mut u8, from: *const u8, len: usize) -> bool {
    match len {
        // SAFETY: By the contract of this function: two times 4 bytes, from the beginning and from the end.
        5..=7 => unsafe {
            asm!(
                "mov {first:e}, [{from}]",
                "mov {last:e}, [{from} + {len} - 4]",
                "mov [{to}], {first:e}",
                "mov [{to} + {len} - 4], {last:e}",
                from = in(reg) from, to = in(reg) to, len = in(reg) len,
                first = out(reg) _, last = out(reg) _,
                options(nostack, preserves_flags),
            );
        },
        // SAFETY: As above, two times 8 bytes.
        8..=16 => unsafe {
            asm!(
                "mov {first}, [{from}]",
                "mov {last}, [{from} + {len} - 8]",
                "mov [{to}], {first}",
                "mov [{to} + {len} - 8], {last}",
                from = in(reg) from, to = in(reg) to, len = in(reg) len,
                first = out(reg) _, last = out(reg) _,
                options(nostack, preserves_flags),
            );
        },
        // SAFETY: As above, two times 16 bytes.
        17..=32 => unsafe {
            asm!(
                "movups {first}, [{from}]",
                "movups {last}, [{from} + {len} - 16]",
                "movups [{to}], {first}",
                "movups [{to} + {len} - 16], {last}",
                from = in(reg) from, to = in(reg) to, len = in(reg) len,
                first = out(xmm_reg) _, last = out(xmm_reg) _,
                options(nostack, preserves_flags),
            );
        },
        // SAFETY: As above, two times 32 bytes.
        33..=64 => unsafe {
            asm!(
                "movups {first}, [{from}]",
                "movups {second}, [{from} + 16]",
                "movups {third}, [{from} + {len} - 32]",
                "movups {last}, [{from} + {len} - 16]",
                "movups [{to}], {first}",
                "movups [{to} + 16], {second}",
                "movups [{to} + {len} - 32], {third}",
                "movups [{to} + {len} - 16], {last}",
                from = in(reg) from, to = in(reg) to, len = in(reg) len,
                first = out(xmm_reg) _, second = out(xmm_reg) _,
                third = out(xmm_reg) _, last = out(xmm_reg) _,
                options(nostack, preserves_flags),
            );
        },
        _ => return false,
    }
    true
}
