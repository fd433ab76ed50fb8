//! `hashlease verify` as users run it: on whole files and single shares, correct and faulty.
#![allow(clippy::unwrap_used, missing_docs)]

mod caches;
mod files;
mod lease;
mod output;
mod program;
mod shares;
mod unread;
