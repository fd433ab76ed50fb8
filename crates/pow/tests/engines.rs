//! The engines that the tests run on this machine. All others have to be tested elsewhere.
//!
//! Tests use [`Isa::available`] and [`Engine::available`], so they silently skip engines that the
//! machine lacks. `HASHLEASE_REQUIRE_ENGINES` lists those that must not be skipped, of `sha-ni`,
//! `avx2` and `avx512`, separated by commas.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hashlease_pow::{Isa, sha256::Engine};
use std::{
    collections::BTreeSet,
    io::{Write, stderr},
};

const VARIABLE: &str = "HASHLEASE_REQUIRE_ENGINES";
const NAMES: [&str; 3] = ["sha-ni", "avx2", "avx512"];

fn available() -> BTreeSet<&'static str> {
    let engines = Engine::available().filter_map(|engine| match engine {
        Engine::Pair => Some("sha-ni"),
        Engine::Avx2 => Some("avx2"),
        Engine::Avx512 => Some("avx512"),
        _ => None,
    });
    engines.collect()
}

/// The required engines that the machine lacks.
fn missing<'a>(required: &'a str, available: &BTreeSet<&str>) -> Vec<&'a str> {
    let required = required.split(',').map(str::trim).filter(|name| !name.is_empty());
    let required = required.inspect(|name| {
        assert!(NAMES.contains(name), "{VARIABLE} names {name}, which is none of {}", NAMES.join(", "));
    });
    required.filter(|name| !available.contains(name)).collect()
}

#[test]
fn every_required_engine_is_here() {
    let here = available();
    let names: Vec<&str> = here.iter().copied().collect();
    // not by a macro, whose output is hidden when tests pass
    let _ = writeln!(
        stderr(),
        "engines tried beside plain Rust: {}",
        match names.as_slice() {
            [] => "none".to_owned(),
            names => names.join(", "),
        }
    );
    let required = std::env::var(VARIABLE).unwrap_or_default();
    let missing = missing(&required, &here);
    assert!(missing.is_empty(), "{VARIABLE} asks for {}, which this build lacks here", missing.join(", "));
}

#[test]
fn missing_engines_are_named() {
    let some = BTreeSet::from(["sha-ni", "avx2"]);
    assert_eq!(missing("", &some), Vec::<&str>::new());
    assert_eq!(missing("avx2, sha-ni", &some), Vec::<&str>::new());
    assert_eq!(missing("avx512,avx2,sha-ni", &some), ["avx512"]);
    assert!(std::panic::catch_unwind(|| missing("avx1024", &BTreeSet::new())).is_err());
}

/// Both lists agree on the instructions that they share, plain Rust is first, and the best is in
/// the list.
#[test]
fn both_lists_agree() {
    let isas: Vec<Isa> = Isa::available().collect();
    let engines: Vec<Engine> = Engine::available().collect();
    assert_eq!((isas[0], engines[0]), (Isa::Portable, Engine::One));
    assert_eq!(isas.contains(&Isa::Avx2), engines.contains(&Engine::Avx2));
    assert_eq!(isas.contains(&Isa::Avx512), engines.contains(&Engine::Avx512));
    assert_eq!(isas.last(), Some(&Isa::best()));
    assert!(engines.contains(&Engine::best()));
}

/// The build without kernels is that of other processors.
#[test]
fn plain_rust_is_all_there_is_without_kernels() {
    if cfg!(any(feature = "portable", not(target_arch = "x86_64"))) {
        assert_eq!((Isa::best(), Engine::best()), (Isa::Portable, Engine::One));
        assert!(available().is_empty());
    }
}
