//! Difficulties, targets and compact bits against plain arithmetic.
#![no_main]

use alloy_primitives::{U256, U512};
use arbitrary::Arbitrary;
use hashlease_primitives::{Difficulty, DifficultyBase, Target, Work};
use libfuzzer_sys::fuzz_target;

const BASES: [DifficultyBase; 3] = [DifficultyBase::Bitcoin, DifficultyBase::Scrypt, DifficultyBase::Hashes];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    text: &'a str,
    digits: u128,
    exponent: i8,
    far: i64,
    target: [u8; 32],
    shift: u8,
    bits: u32,
}

fn texts(text: &str) {
    let Ok(difficulty) = text.parse::<Difficulty>() else { return };
    let shown = difficulty.to_string();
    assert!(shown.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'), "{shown}");
    for base in BASES {
        let target = difficulty.target(base);
        assert!(!target.0.is_zero());
        // the reader refuses longer texts, and our own texts are never longer
        if shown.len() <= 77 {
            assert_eq!(shown.parse::<Difficulty>().unwrap().target(base), target, "{text} is {shown}");
        }
        targets(target, base);
    }
}

/// A difficulty that we write and any pool reads is never harder than the target, and is easier by
/// less than twelve digits can show.
fn targets(target: Target, base: DifficultyBase) {
    let shown = Difficulty::of_target(target, base).to_string();
    let back = shown.parse::<Difficulty>().unwrap().target(base);
    assert!(back >= target, "{shown}");
    assert!(back.0 - target.0 <= (target.0 >> 36usize).saturating_add(U256::from(2)), "{shown}");
    assert!(Target(back.0).work() <= target.work());
}

fn exact(digits: u128, exponent: i8) {
    let one = |base| match base {
        DifficultyBase::Bitcoin => U512::from(0xffffu32) << 208usize,
        DifficultyBase::Scrypt => U512::from(0xffffu32) << 224usize,
        DifficultyBase::Hashes => U512::ONE << 256usize,
    };
    let parsed = format!("{digits}e{exponent}").parse::<Difficulty>();
    let allowed = digits != 0 && (-60..=60).contains(&exponent);
    assert_eq!(parsed.is_ok(), allowed);
    let Ok(difficulty) = parsed else { return };
    let power = U512::from(10u8).pow(U512::from(exponent.unsigned_abs()));
    for base in BASES {
        let expected = if exponent < 0 {
            one(base) * power / U512::from(digits)
        } else {
            one(base) / (U512::from(digits) * power)
        };
        let expected = expected.max(U512::ONE).min(U512::from(U256::MAX));
        assert_eq!(U512::from(difficulty.target(base).0), expected);
    }
}

fn compact(bits: u32, target: Target) {
    let (size, mantissa) = (bits >> 24, bits & 0x007f_ffff);
    let plain = (U512::from(mantissa) * (U512::ONE << (8 * size.min(35) as usize))) >> 24usize;
    let fits = bits & 0x0080_0000 == 0 && !plain.is_zero() && plain <= U512::from(U256::MAX) && size <= 35;
    let read = Target::from_compact(bits);
    assert_eq!(read.map(|target| U512::from(target.0)), fits.then_some(plain), "{bits:08x}");
    if let Some(target) = read {
        assert_eq!(Target::from_compact(target.to_compact()), Some(target), "{bits:08x}");
    }
    if !target.0.is_zero() {
        let bits = target.to_compact();
        let back = Target::from_compact(bits).unwrap();
        assert!(back <= target && target.0 - back.0 <= target.0 >> 15usize, "{bits:08x}");
        assert_eq!(back.to_compact(), bits);
    }
    let work = (U512::ONE << 256usize) / (U512::from(target.0) + U512::ONE);
    assert_eq!(U512::from(target.work().hashes()), work.min(U512::from(Work::MAX.hashes())));
}

fuzz_target!(|input: Input<'_>| {
    texts(input.text);
    exact(input.digits, input.exponent);
    texts(&format!("{}e{}", input.digits, input.exponent));
    texts(&format!("{}e{}", input.digits, input.far));
    texts(&format!("1e{}", i64::MIN.saturating_add(input.exponent.into())));
    let target = Target((U256::from_be_bytes(input.target) >> usize::from(input.shift)).max(U256::ONE));
    for base in BASES {
        targets(target, base);
    }
    compact(input.bits, target);
});
