//! The share journal: append-only, segmented, durable before it is acknowledged.
//!
//! In: [`Record`]s. Out: the same records after a restart, in order, or a clear refusal. A torn tail of the last
//! segment, which is what a power cut leaves, is cut off; damage anywhere else is never skipped. One writer thread
//! takes whatever waits, writes it with one `write` and one `fdatasync`, and only then resolves the appends (group
//! commit). A failed `fdatasync` poisons the journal: what the disk holds is unknown then, and asking again could
//! hide it.
//!
//! # Format
//! A directory of segments `<number of its first record, 20 digits>.hlj`. Integers are little-endian.
//!
//! ```text
//! segment  magic "HLJOURNL" · u16 version (1) · u16 zero · u64 mark · u64 number of its first record ·
//!          u32 crc32c of the 28 bytes before · frames
//! frame    u64 mark · u64 number of its first record · u32 number of records · u32 length of the payload ·
//!          u32 crc32c of the 24 bytes before and the payload · payload (at most 4 MiB)
//! payload  records: u32 length of the body · body (at most 64 KiB)
//! body     u8 type · u8 version · fields: see the table in `record.rs`
//! ```
//! A frame is what one `fdatasync` made durable. So a bad frame with a good one after it is damage, and a bad frame
//! at the very end is a write that was never acknowledged: a power cut may lose any part of it, also one in its
//! middle. A bit that rots in the very last frame looks the same, and costs that frame. The mark is a number drawn
//! for the segment: bytes that a stranger chose (worker names, coinbases) can't pass for a frame.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod disk;
mod error;
#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
mod faults;
mod journal;
mod reader;
mod record;
mod segment;
mod wire;
mod writer;

pub use error::JournalError;
pub use journal::{Journal, Options};
pub use reader::read;
pub use record::{MAX_BODY, Record, RecordError};
