//! What is wrong with the bytes of a segment.

use hashlease_share::wire::WireError;

/// What is wrong in a place of a segment that no power cut damages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the fields")]
pub enum Damage {
    /// The segment has another format version, probably that of a newer program.
    #[error("format version: expected {expected}, got {actual}")]
    Version { expected: u16, actual: u16 },
    /// The header is not that of the segment with this name.
    #[error("header: expected that of the segment from record {first}")]
    Header { first: u64 },
    /// The bytes do not begin with the segment's mark.
    #[error("no frame starts here")]
    NoFrame,
    /// The bytes end within a frame, or a frame has more bytes than its records.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The frame's length exceeds the format's limit.
    #[error("frame of {length} bytes: expected at most {max}")]
    FrameTooLong { length: usize, max: usize },
    /// The frame's bytes are not those that were written.
    #[error("checksum: expected {expected:08x}, got {actual:08x}")]
    Checksum { expected: u32, actual: u32 },
    /// The frame is intact but belongs in another place.
    #[error("expected record {expected}, got {actual}")]
    OtherRecord { expected: u64, actual: u64 },
    /// The segment does not continue the one before it.
    #[error("a segment is missing: expected one from record {expected}, got {actual}")]
    SegmentMissing { expected: u64, actual: u64 },
    /// Only the last segment may have a torn tail.
    #[error("the segment ends in the middle although another follows")]
    TornInside,
}
