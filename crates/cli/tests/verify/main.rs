//! `hashlease verify` as people call it: whole files, single shares, and what is wrong with them.
#![allow(clippy::unwrap_used, missing_docs)]

mod caches;
mod files;
mod lease;
mod program;
mod shares;
mod unread;
