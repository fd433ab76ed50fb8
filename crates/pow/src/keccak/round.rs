//! One round of Keccak-f\[1600\], written once for words of any width.
//!
//! It is a macro rather than a generic function: inside a function with the right `target_feature`,
//! the intrinsics are safe to call, while a trait of words would need `unsafe` in every operation.

/// Constants of the 24 rounds.
pub(super) const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// Applies one round to `$a`, an array of 25 words; `$rc` is the round's constant as a word of the
/// same width.
///
/// The operations are macros of the caller: `xor(a, b)`, `xor5(a, b, c, d, e)`, `rol(a, bits)` and
/// `chi(a, b, c) = a ^ (!b & c)`.
macro_rules! keccak_round {
    ($a:ident, $rc:expr, $xor:ident, $xor5:ident, $rol:ident, $chi:ident) => {{
        // theta: every word is mixed with the parities of two columns
        let c0 = $xor5!($a[0], $a[5], $a[10], $a[15], $a[20]);
        let c1 = $xor5!($a[1], $a[6], $a[11], $a[16], $a[21]);
        let c2 = $xor5!($a[2], $a[7], $a[12], $a[17], $a[22]);
        let c3 = $xor5!($a[3], $a[8], $a[13], $a[18], $a[23]);
        let c4 = $xor5!($a[4], $a[9], $a[14], $a[19], $a[24]);
        let d0 = $xor!(c4, $rol!(c1, 1));
        let d1 = $xor!(c0, $rol!(c2, 1));
        let d2 = $xor!(c1, $rol!(c3, 1));
        let d3 = $xor!(c2, $rol!(c4, 1));
        let d4 = $xor!(c3, $rol!(c0, 1));
        // rho and pi rotate the words and move them to their new places; chi mixes the resulting
        // rows
        let b0 = $xor!($a[0], d0);
        let b1 = $rol!($xor!($a[6], d1), 44);
        let b2 = $rol!($xor!($a[12], d2), 43);
        let b3 = $rol!($xor!($a[18], d3), 21);
        let b4 = $rol!($xor!($a[24], d4), 14);
        let e0 = $xor!($chi!(b0, b1, b2), $rc);
        let e1 = $chi!(b1, b2, b3);
        let e2 = $chi!(b2, b3, b4);
        let e3 = $chi!(b3, b4, b0);
        let e4 = $chi!(b4, b0, b1);
        let b0 = $rol!($xor!($a[3], d3), 28);
        let b1 = $rol!($xor!($a[9], d4), 20);
        let b2 = $rol!($xor!($a[10], d0), 3);
        let b3 = $rol!($xor!($a[16], d1), 45);
        let b4 = $rol!($xor!($a[22], d2), 61);
        let e5 = $chi!(b0, b1, b2);
        let e6 = $chi!(b1, b2, b3);
        let e7 = $chi!(b2, b3, b4);
        let e8 = $chi!(b3, b4, b0);
        let e9 = $chi!(b4, b0, b1);
        let b0 = $rol!($xor!($a[1], d1), 1);
        let b1 = $rol!($xor!($a[7], d2), 6);
        let b2 = $rol!($xor!($a[13], d3), 25);
        let b3 = $rol!($xor!($a[19], d4), 8);
        let b4 = $rol!($xor!($a[20], d0), 18);
        let e10 = $chi!(b0, b1, b2);
        let e11 = $chi!(b1, b2, b3);
        let e12 = $chi!(b2, b3, b4);
        let e13 = $chi!(b3, b4, b0);
        let e14 = $chi!(b4, b0, b1);
        let b0 = $rol!($xor!($a[4], d4), 27);
        let b1 = $rol!($xor!($a[5], d0), 36);
        let b2 = $rol!($xor!($a[11], d1), 10);
        let b3 = $rol!($xor!($a[17], d2), 15);
        let b4 = $rol!($xor!($a[23], d3), 56);
        let e15 = $chi!(b0, b1, b2);
        let e16 = $chi!(b1, b2, b3);
        let e17 = $chi!(b2, b3, b4);
        let e18 = $chi!(b3, b4, b0);
        let e19 = $chi!(b4, b0, b1);
        let b0 = $rol!($xor!($a[2], d2), 62);
        let b1 = $rol!($xor!($a[8], d3), 55);
        let b2 = $rol!($xor!($a[14], d4), 39);
        let b3 = $rol!($xor!($a[15], d0), 41);
        let b4 = $rol!($xor!($a[21], d1), 2);
        let e20 = $chi!(b0, b1, b2);
        let e21 = $chi!(b1, b2, b3);
        let e22 = $chi!(b2, b3, b4);
        let e23 = $chi!(b3, b4, b0);
        let e24 = $chi!(b4, b0, b1);
        $a = [
            e0, e1, e2, e3, e4, e5, e6, e7, e8, e9, e10, e11, e12, e13, e14, e15, e16, e17, e18, e19, e20,
            e21, e22, e23, e24,
        ];
    }};
}

pub(super) use keccak_round;
