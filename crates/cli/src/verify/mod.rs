//! `hashlease verify`: recounts an epoch from its evidence file, or checks one share, offline.

mod args;
mod caches;
mod differences;
mod epoch;
mod on_chain;
mod report;
mod run;
mod single;

pub(crate) use args::VerifyArgs;
pub(crate) use run::run;
