//! Bytes of an evidence file.

use crate::content::{Evidence, EvidenceHead, EvidenceShare};
use hashlease_primitives::{Commitment, JobKind, UnixSeconds};
use hashlease_share::{
    MAX_EPOCH_JOBS, MAX_TAIL, Share,
    wire::{self, Fields, WireError, put_job, put_share, put_terms},
};
use sha2::{Digest as _, Sha256};
use std::io::{self, Read, Write};

const MAGIC: &[u8; 8] = b"HLEVIDNC";
const VERSION: u16 = 1;
/// Bytes of the checksum.
const TRAILER: usize = 32;
/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;
/// Limit of the bytes before the last job. [`MAX_JOBS`] jobs of the longest kind that can count
/// take fewer.
const LONGEST_HEAD: u64 = 64 << 20;
/// Largest number of jobs in an evidence file: one every three seconds in the longest epoch, nine a
/// second in an epoch of an hour. A check keeps all of them in memory.
pub const MAX_JOBS: usize = MAX_EPOCH_JOBS;

/// Why a file can't be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the fields")]
pub enum EvidenceError {
    /// The bytes break the format.
    #[error("evidence file at byte {offset}: {field}: expected {expected}, got {got}")]
    Format { offset: u64, field: &'static str, expected: String, got: String },
    /// Reading failed.
    #[error("evidence file at byte {offset}: {source}")]
    Io { offset: u64, source: io::Error },
}

/// Why a file can't be written.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceWriteError {
    /// A reader would refuse the file.
    #[error("evidence can't be written: {0}")]
    Unwritable(#[from] WireError),
    /// Writing failed.
    #[error("evidence can't be written: {0}")]
    Io(#[from] io::Error),
}

/// A length in memory as a `u64`, which holds every `usize` of the supported machines.
fn long(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Bytes that were read from a source and not yet parsed.
struct Input<R> {
    source: R,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were parsed.
    taken: usize,
    /// Place of the buffer's first byte in the file.
    offset: u64,
    /// Checksum of all parsed bytes.
    checksum: Sha256,
}

impl<R: Read> Input<R> {
    fn rest(&self) -> &[u8] {
        // never the fallback: `advance` and `fill` keep `taken` within the buffer
        self.buffer.get(self.taken..).unwrap_or_default()
    }

    fn advance(&mut self, count: usize) {
        let end = self.taken.saturating_add(count).min(self.buffer.len());
        // never the fallback: `end` is within the buffer and not before `taken`
        self.checksum.update(self.buffer.get(self.taken..end).unwrap_or_default());
        self.taken = end;
    }

    /// Reads the next piece; returns whether the source had more.
    fn fill(&mut self) -> Result<bool, EvidenceError> {
        self.buffer.drain(..self.taken);
        self.offset = self.position();
        self.taken = 0;
        let read = self.source.by_ref().take(long(PIECE)).read_to_end(&mut self.buffer);
        let offset = self.offset.saturating_add(long(self.buffer.len()));
        Ok(read.map_err(|source| EvidenceError::Io { offset, source })? > 0)
    }

    /// Bytes of the file that were parsed.
    fn position(&self) -> u64 {
        self.offset.saturating_add(long(self.taken))
    }

    /// An error in the unparsed rest.
    fn error(&self, WireError { offset, field, expected, got, .. }: WireError) -> EvidenceError {
        EvidenceError::Format { offset: self.position().saturating_add(long(offset)), field, expected, got }
    }

    /// Parses an item whose length is known only once it is parsed; a few kilobytes at most.
    fn read<T>(
        &mut self,
        parse: impl Fn(&mut Fields<'_>) -> Result<T, WireError>,
    ) -> Result<T, EvidenceError> {
        loop {
            let mut fields = Fields::new(self.rest());
            match parse(&mut fields) {
                Ok(parsed) => {
                    let taken = fields.offset();
                    self.advance(taken);
                    return Ok(parsed);
                }
                Err(error) => {
                    if !error.short || !self.fill()? {
                        return Err(self.error(error));
                    }
                }
            }
        }
    }
}

/// The shares of a file, read from front to end.
pub(super) struct Shares<R> {
    input: Input<R>,
    kind: JobKind,
    /// Shares that are not read yet.
    left: u64,
    ended: bool,
}

impl<R: Read> Shares<R> {
    /// [`EvidenceReader::next`].
    pub(super) fn next(
        &mut self,
        shares: &mut Vec<EvidenceShare>,
        most: usize,
    ) -> Result<bool, EvidenceError> {
        shares.clear();
        while self.left > 0 && shares.len() < most {
            let kind = self.kind;
            shares.push(self.input.read(|fields| share(fields, kind))?);
            self.left = self.left.saturating_sub(1);
        }
        if !shares.is_empty() {
            return Ok(true);
        }
        self.end()?;
        Ok(false)
    }

    fn end(&mut self) -> Result<(), EvidenceError> {
        if self.ended {
            return Ok(());
        }
        while self.input.rest().len() <= TRAILER && self.input.fill()? {}
        let rest = self.input.rest();
        let fields = Fields::new(rest);
        let error = match <[u8; TRAILER]>::try_from(rest) {
            Ok(claimed) => {
                let actual: [u8; TRAILER] = self.input.checksum.clone().finalize().into();
                if actual == claimed {
                    self.ended = true;
                    return Ok(());
                }
                fields.error("checksum", hex::encode(actual), hex::encode(claimed))
            }
            Err(_) => match rest.len().checked_sub(TRAILER) {
                None => fields.error("checksum", "32 bytes", format!("{} left", rest.len())),
                Some(more) => fields.error("end", "no more bytes", format!("{more} more")),
            },
        };
        Err(self.input.error(error))
    }
}

/// Reads a file from front to end: the head at once, the shares in pieces, the checksum last. Trust
/// nothing in it until [`EvidenceReader::next`] has returned `false`.
pub struct EvidenceReader<R> {
    head: EvidenceHead,
    shares: Shares<R>,
}

impl<R: Read> EvidenceReader<R> {
    /// Reads the head.
    ///
    /// # Errors
    /// [`EvidenceError`] that names place and field.
    pub fn open(source: R) -> Result<Self, EvidenceError> {
        let mut input = Input { source, buffer: Vec::new(), taken: 0, offset: 0, checksum: Sha256::new() };
        let (mut head, count) = input.read(head)?;
        let kind = head.terms.algorithm.job_kind();
        for _ in 0..count {
            let position = input.position();
            if position > LONGEST_HEAD {
                let (expected, got) =
                    (format!("the last below byte {LONGEST_HEAD}"), format!("{count} jobs"));
                return Err(EvidenceError::Format { offset: position, field: "jobs", expected, got });
            }
            let signed = input.read(|fields| wire::job(fields, kind, head.terms.id))?;
            let sequence = signed.job.sequence();
            if let Some(last) = head.jobs.last().map(|last| last.job.sequence())
                && sequence <= last
            {
                return Err(EvidenceError::Format {
                    offset: position,
                    field: "job's sequence",
                    expected: format!("above {last}"),
                    got: sequence.to_string(),
                });
            }
            head.jobs.push(signed);
        }
        let left = input.read(|fields| fields.u64("number of shares"))?;
        Ok(Self { head, shares: Shares { input, kind, left, ended: false } })
    }

    /// Replaces the file's end of the lease by the chain's.
    pub const fn set_end(&mut self, end: UnixSeconds) {
        self.head.terms.end = end;
    }

    /// The part of the file before its shares.
    #[must_use]
    pub const fn head(&self) -> &EvidenceHead {
        &self.head
    }

    /// Shares that are not read yet, according to the file.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.shares.left
    }

    /// Reads up to `most` shares into `shares`, which is emptied first. Returns `false` when there
    /// are no more and the checksum is right.
    ///
    /// # Errors
    /// [`EvidenceError`] that names place and field.
    pub fn next(&mut self, shares: &mut Vec<EvidenceShare>, most: usize) -> Result<bool, EvidenceError> {
        self.shares.next(shares, most)
    }

    /// The head, and a reader of the shares.
    pub(super) fn split(self) -> (EvidenceHead, Shares<R>) {
        (self.head, self.shares)
    }
}

/// The part before the jobs, and the number of jobs.
fn head(fields: &mut Fields<'_>) -> Result<(EvidenceHead, u32), WireError> {
    if fields.take("magic", MAGIC.len())? != MAGIC {
        return Err(fields.error("magic", "HLEVIDNC", "something else: not an evidence file"));
    }
    let version = fields.u16("version")?;
    if version != VERSION {
        return Err(fields.error("version", VERSION, version));
    }
    let terms = wire::terms(fields)?;
    let epoch = fields.u32("epoch")?;
    let commitment = Commitment { root: fields.hash("root")?, count: fields.u64("count")? };
    let count = fields.u32("number of jobs")?;
    if usize::try_from(count).map_or(true, |count| count > MAX_JOBS) {
        return Err(fields.error("number of jobs", format!("at most {MAX_JOBS}"), count));
    }
    // the number alone must not reserve memory: the jobs may be missing
    Ok((EvidenceHead { terms, epoch, commitment, jobs: Vec::new() }, count))
}

fn share(fields: &mut Fields<'_>, kind: JobKind) -> Result<EvidenceShare, WireError> {
    Ok(EvidenceShare { job: fields.u64("share's job")?, share: wire::share(fields, kind)? })
}

impl Evidence {
    /// Longest file with this number of shares, bytes.
    #[must_use]
    pub fn longest(kind: JobKind, shares: u64) -> u64 {
        // the last job starts below the limit
        let head = LONGEST_HEAD.saturating_add(1 << 18);
        let share = match kind {
            JobKind::Header => 8 + 1 + MAX_TAIL + 12,
            JobKind::Ethash => 8 + 8,
        };
        head.saturating_add(shares.saturating_mul(long(share)))
    }

    /// Reads a file that is in memory.
    ///
    /// # Errors
    /// [`EvidenceError`] that names place and field.
    pub fn decode(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let mut reader = EvidenceReader::open(bytes)?;
        let (mut shares, mut piece) = (Vec::new(), Vec::new());
        while reader.next(&mut piece, 1 << 16)? {
            shares.append(&mut piece);
        }
        Ok(Self { head: reader.head, shares })
    }

    /// Writes a file. Shares are written in the given order; the format needs them ascending by
    /// key.
    ///
    /// # Errors
    /// [`WireError`] for a file that no reader would accept: a job out of order, a job or share of
    /// another kind than the lease's, a part of a job that is too long for its length field.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        let mut out = Vec::with_capacity(self.shares.len().saturating_mul(32).saturating_add(4_096));
        self.head.put(long(self.shares.len()), &mut out)?;
        let kind = self.head.terms.algorithm.job_kind();
        for EvidenceShare { job, share } in &self.shares {
            put_counted(*job, share, kind, &mut out)?;
        }
        let checksum = Sha256::digest(&out);
        out.extend(checksum);
        Ok(out)
    }
}

fn refused<T>(field: &'static str, expected: String, got: String) -> Result<T, WireError> {
    Err(WireError { offset: 0, field, expected, got, short: false })
}

fn put_counted(job: u64, share: &Share, kind: JobKind, out: &mut Vec<u8>) -> Result<(), WireError> {
    if share.kind() != kind {
        return refused("share's kind", format!("{kind:?}"), format!("{:?}", share.kind()));
    }
    out.extend(job.to_le_bytes());
    put_share(out, share);
    Ok(())
}

impl EvidenceHead {
    /// Writes a file with this head piece by piece: [`Evidence::encode`] for more shares than fit
    /// twice in memory. Each share comes with the sequence of its job.
    ///
    /// # Errors
    /// [`EvidenceWriteError`].
    pub fn write<'a>(
        &self,
        shares: impl ExactSizeIterator<Item = (u64, &'a Share)>,
        mut out: impl Write,
    ) -> Result<(), EvidenceWriteError> {
        let kind = self.terms.algorithm.job_kind();
        let mut checksum = Sha256::new();
        let mut piece = Vec::new();
        self.put(long(shares.len()), &mut piece)?;
        for (job, share) in shares {
            put_counted(job, share, kind, &mut piece)?;
            if piece.len() >= PIECE {
                checksum.update(&piece);
                out.write_all(&piece)?;
                piece.clear();
            }
        }
        checksum.update(&piece);
        piece.extend(checksum.finalize());
        out.write_all(&piece)?;
        Ok(out.flush()?)
    }

    /// Writes the part before the shares.
    fn put(&self, shares: u64, out: &mut Vec<u8>) -> Result<(), WireError> {
        let Self { terms, epoch, commitment, jobs } = self;
        let kind = terms.algorithm.job_kind();
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        put_terms(out, terms);
        out.extend(epoch.to_le_bytes());
        out.extend(commitment.root.as_slice());
        out.extend(commitment.count.to_le_bytes());
        let count = u32::try_from(jobs.len()).ok().filter(|_| jobs.len() <= MAX_JOBS);
        let Some(count) = count else {
            return refused("number of jobs", format!("at most {MAX_JOBS}"), jobs.len().to_string());
        };
        out.extend(count.to_le_bytes());
        let mut last = None;
        for signed in jobs {
            let sequence = signed.job.sequence();
            if signed.job.kind() != kind {
                return refused("job's kind", format!("{kind:?}"), format!("{:?}", signed.job.kind()));
            }
            if let Some(last) = last.replace(sequence).filter(|last| *last >= sequence) {
                return refused("job's sequence", format!("above {last}"), sequence.to_string());
            }
            put_job(out, signed)?;
        }
        out.extend(shares.to_le_bytes());
        Ok(())
    }
}
