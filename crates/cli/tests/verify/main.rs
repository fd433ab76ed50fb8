//! `hashlease verify` as users run it: on whole files and single shares, correct and faulty.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod caches;
mod files;
mod lease;
mod on_chain;
mod program;
mod shares;
mod unread;
