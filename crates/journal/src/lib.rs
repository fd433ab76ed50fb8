//! The share journal: append-only, segmented, durable before it is acknowledged.
//!
//! In: [`Record`]s. Out: the same records in order after a restart, or an error. A torn tail of the
//! last segment, as a power cut leaves it, is cut off; damage anywhere else is an error and never
//! skipped. One writer thread takes all appends that wait, writes them with one `write` and one
//! `fdatasync`, and only then resolves them (group commit). A failed `fdatasync` poisons the
//! journal: the content of the disk is unknown then, and a second `fdatasync` could report success
//! for lost data.
//!
//! # Format
//! A directory of segments `<number of its first record, 20 digits>.hlj`; a file of another name
//! that ends in `.hlj` is an error. Integers are little-endian.
//!
//! ```text
//! segment  magic "HLJOURNL" · u16 version (1) · u16 zero · u64 mark ·
//!          u64 number of its first record · u32 crc32c of the 28 bytes before · frames
//! frame    u64 mark · u64 number of its first record · u32 number of records ·
//!          u32 length of the payload · u32 crc32c of the 24 bytes before and the payload ·
//!          payload (at most 4 MiB)
//! payload  records: u32 length of the body · body (at most 64 KiB)
//! body     u8 type · u8 version · fields: see the table in `record.rs`
//! ```
//! Each frame became durable by one `fdatasync`. So a bad frame before a good one is damage, and a
//! bad frame at the very end is a write that was never acknowledged: a power cut may lose any part
//! of it, even in its middle. A flipped bit in the very last frame looks the same and costs that
//! frame. The mark is a random number drawn for the segment, so that bytes chosen by a stranger
//! (worker names, coinbases) can't pass for a frame.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod damage;
mod disk;
mod error;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
mod faults;
mod journal;
mod options;
mod reader;
mod record;
mod segment;
mod torn_tail;
mod wire;
mod writer;

pub use damage::Damage;
pub use error::{JournalError, OpenError};
pub use journal::Journal;
pub use options::Options;
pub use reader::read;
pub use record::{MAX_BODY, Record, RecordError};
