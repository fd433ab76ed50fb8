//! Terms, jobs and shares as bytes, in the same form for journal and evidence file.
//!
//! Integers are little-endian, hashes and addresses raw bytes.
//!
//! ```text
//! terms         u64 lease · u64 chain id · 20 escrow · 20 oracle · 20 provider ·
//!               20 job signer · u8 algorithm · u8 log2 of the settlement weight ·
//!               u128 rate (hashes per second, below 2^96) · u64 start ·
//!               u64 end (Unix seconds) · u32 duration · u32 epoch length (seconds)
//! header job    u64 sequence · 32 previous hash (byte order of the header) · u32 nbits ·
//!               u32 version · u32 version mask · u64 not before · u64 not after ·
//!               u16 length + coinbase prefix · u8 tail length · u16 length + coinbase suffix ·
//!               u8 number + 32 each of the branch · 65 signature (r ‖ s ‖ v)
//! Ethash job    u64 sequence · 32 seal hash · u64 block number · u8 length + nonce prefix ·
//!               u64 not before · u64 not after · 65 signature
//! header share  u8 length + extranonce tail · u32 ntime · u32 nonce · u32 version
//! Ethash share  u64 nonce
//! ```
//! The kind of jobs and shares follows from the lease's algorithm, or from the record around the
//! bytes.

use crate::{EthashShare, HeaderShare, Share};
use alloy_primitives::{Address, B256};
use arrayvec::ArrayVec;
use hashlease_primitives::{
    Algorithm, Domain, EthashJob, HashRate, HeaderJob, Job, JobKind, LeaseId, SettlementWeight, SignedJob,
    Terms, UnixSeconds,
};

/// Why bytes can't be read or a field can't be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {field}: expected {expected}, got {got}")]
#[allow(missing_docs, reason = "the message explains the fields")]
pub struct WireError {
    pub offset: usize,
    pub field: &'static str,
    pub expected: String,
    pub got: String,
    /// Whether the bytes ended too early, so that reading more of them may succeed.
    pub short: bool,
}

/// Reads fields one after the other.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    offset: usize,
    /// Offset of the field that was read last.
    field: usize,
}

impl<'a> Fields<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0, field: 0 }
    }

    /// Number of bytes read.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Number of bytes left.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.offset)
    }

    /// An error at the field that was read last.
    pub fn error(&self, field: &'static str, expected: impl ToString, got: impl ToString) -> WireError {
        let (expected, got) = (expected.to_string(), got.to_string());
        WireError { offset: self.field, field, expected, got, short: false }
    }

    /// A number of bytes.
    ///
    /// # Errors
    /// [`WireError`] when fewer are left.
    pub fn take(&mut self, field: &'static str, length: usize) -> Result<&'a [u8], WireError> {
        let end = self.offset.saturating_add(length);
        let Some(taken) = self.bytes.get(self.offset..end) else {
            let (expected, got) = (format!("{length} bytes"), format!("{} left", self.left()));
            return Err(WireError { offset: self.offset, field, expected, got, short: true });
        };
        self.field = self.offset;
        self.offset = end;
        Ok(taken)
    }

    /// A number of bytes as an array.
    ///
    /// # Errors
    /// [`WireError`] when fewer are left.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(field, N)?);
        Ok(array)
    }

    /// Bytes behind their length (u8).
    ///
    /// # Errors
    /// [`WireError`] when fewer are left.
    pub fn short(&mut self, field: &'static str) -> Result<&'a [u8], WireError> {
        let length = self.u8(field)?;
        self.take(field, usize::from(length))
    }

    /// Bytes behind their length (u16).
    ///
    /// # Errors
    /// [`WireError`] when fewer are left.
    pub fn long(&mut self, field: &'static str) -> Result<&'a [u8], WireError> {
        let length = self.u16(field)?;
        self.take(field, usize::from(length))
    }

    /// A 32-byte hash.
    ///
    /// # Errors
    /// [`WireError`] when fewer bytes are left.
    pub fn hash(&mut self, field: &'static str) -> Result<B256, WireError> {
        Ok(B256::from(self.array(field)?))
    }

    /// A 20-byte address.
    ///
    /// # Errors
    /// [`WireError`] when fewer bytes are left.
    pub fn address(&mut self, field: &'static str) -> Result<Address, WireError> {
        Ok(Address::from(self.array(field)?))
    }

    /// Checks that no bytes are left.
    ///
    /// # Errors
    /// [`WireError`] when some are.
    pub fn end(&self) -> Result<(), WireError> {
        match self.left() {
            0 => Ok(()),
            left => {
                let error = self.error("end", "no more bytes", format!("{left} more"));
                Err(WireError { offset: self.offset, ..error })
            }
        }
    }
}

macro_rules! integers {
    ($($name:ident)*) => {
        impl Fields<'_> {
            $(
                #[doc = concat!("A `", stringify!($name), "`, little-endian.")]
                ///
                /// # Errors
                /// [`WireError`] when too few bytes are left.
                pub fn $name(&mut self, field: &'static str) -> Result<$name, WireError> {
                    Ok($name::from_le_bytes(self.array(field)?))
                }
            )*
        }
    };
}
integers!(u8 u16 u32 u64 u128);

/// A length as the integer of its field, with at most `most`.
fn fitting<T>(field: &'static str, length: usize, most: T) -> Result<T, WireError>
where
    T: TryFrom<usize> + std::fmt::Display,
{
    T::try_from(length).map_err(|_| WireError {
        offset: 0,
        field,
        expected: format!("at most {most}"),
        got: length.to_string(),
        short: false,
    })
}

/// Appends a lease's terms.
pub fn put_terms(out: &mut Vec<u8>, terms: &Terms) {
    out.extend(terms.id.0.to_le_bytes());
    out.extend(terms.domain.chain_id.to_le_bytes());
    for address in [terms.domain.contract, terms.oracle, terms.provider, terms.job_signer] {
        out.extend(address.as_slice());
    }
    out.extend([terms.algorithm as u8, terms.weight.log2()]);
    out.extend(terms.rate.per_second().to_le_bytes());
    out.extend(terms.start.get().to_le_bytes());
    out.extend(terms.end.get().to_le_bytes());
    out.extend(terms.duration.to_le_bytes());
    out.extend(terms.epoch_length.to_le_bytes());
}

/// Reads a lease's terms.
///
/// # Errors
/// [`WireError`] that names the field.
pub fn terms(fields: &mut Fields<'_>) -> Result<Terms, WireError> {
    Ok(Terms {
        id: LeaseId(fields.u64("lease")?),
        domain: Domain { chain_id: fields.u64("chain id")?, contract: fields.address("escrow")? },
        oracle: fields.address("oracle")?,
        provider: fields.address("provider")?,
        job_signer: fields.address("job signer")?,
        algorithm: {
            let number = fields.u8("algorithm")?;
            Algorithm::try_from(number).map_err(|_| fields.error("algorithm", "1 to 4", number))?
        },
        weight: {
            let log2 = fields.u8("weight")?;
            SettlementWeight::from_log2(log2).ok_or_else(|| fields.error("weight", "below 96", log2))?
        },
        rate: {
            let rate = fields.u128("rate")?;
            HashRate::try_from(rate).map_err(|_| fields.error("rate", "below 2^96", rate))?
        },
        start: UnixSeconds::new(fields.u64("start")?),
        end: UnixSeconds::new(fields.u64("end")?),
        duration: fields.u32("duration")?,
        epoch_length: fields.u32("epoch length")?,
    })
}

/// Appends a job with its signature, without its lease.
///
/// # Errors
/// [`WireError`] for a part that is too long for its length field.
pub fn put_job(out: &mut Vec<u8>, SignedJob { job, signature }: &SignedJob) -> Result<(), WireError> {
    out.extend(job.sequence().to_le_bytes());
    match job {
        Job::Header(job) => {
            out.extend(job.prev_hash.as_slice());
            for word in [job.n_bits, job.version, job.version_mask] {
                out.extend(word.to_le_bytes());
            }
            out.extend(job.not_before.get().to_le_bytes());
            out.extend(job.not_after.get().to_le_bytes());
            out.extend(fitting("job's coinbase prefix", job.coinbase_prefix.len(), u16::MAX)?.to_le_bytes());
            out.extend(&job.coinbase_prefix);
            out.push(job.tail_length);
            out.extend(fitting("job's coinbase suffix", job.coinbase_suffix.len(), u16::MAX)?.to_le_bytes());
            out.extend(&job.coinbase_suffix);
            out.push(fitting("job's branch", job.branch.len(), u8::MAX)?);
            for hash in &job.branch {
                out.extend(hash.as_slice());
            }
        }
        Job::Ethash(job) => {
            out.extend(job.seal_hash.as_slice());
            out.extend(job.block_number.to_le_bytes());
            out.push(fitting("job's nonce prefix", job.nonce_prefix.len(), u8::MAX)?);
            out.extend(&job.nonce_prefix);
            out.extend(job.not_before.get().to_le_bytes());
            out.extend(job.not_after.get().to_le_bytes());
        }
    }
    out.extend(signature);
    Ok(())
}

/// Reads a job of `lease` with its signature.
///
/// # Errors
/// [`WireError`] that names the field.
pub fn job(fields: &mut Fields<'_>, kind: JobKind, lease: LeaseId) -> Result<SignedJob, WireError> {
    let sequence = fields.u64("job's sequence")?;
    let job = match kind {
        JobKind::Header => Job::Header(HeaderJob {
            lease,
            sequence,
            prev_hash: fields.hash("job's previous hash")?,
            n_bits: fields.u32("job's nbits")?,
            version: fields.u32("job's version")?,
            version_mask: fields.u32("job's version mask")?,
            not_before: UnixSeconds::new(fields.u64("job's not before")?),
            not_after: UnixSeconds::new(fields.u64("job's not after")?),
            coinbase_prefix: fields.long("job's coinbase prefix")?.to_vec().into(),
            tail_length: fields.u8("job's tail length")?,
            coinbase_suffix: fields.long("job's coinbase suffix")?.to_vec().into(),
            branch: {
                let count = fields.u8("job's branch")?;
                (0..count).map(|_| fields.hash("job's branch")).collect::<Result<_, _>>()?
            },
        }),
        JobKind::Ethash => Job::Ethash(EthashJob {
            lease,
            sequence,
            seal_hash: fields.hash("job's seal hash")?,
            block_number: fields.u64("job's block number")?,
            nonce_prefix: fields.short("job's nonce prefix")?.to_vec().into(),
            not_before: UnixSeconds::new(fields.u64("job's not before")?),
            not_after: UnixSeconds::new(fields.u64("job's not after")?),
        }),
    };
    Ok(SignedJob { job, signature: fields.array("job's signature")? })
}

/// Appends the miner's choices.
pub fn put_share(out: &mut Vec<u8>, share: &Share) {
    match share {
        Share::Header(share) => {
            // a tail holds at most MAX_TAIL bytes
            out.push(u8::try_from(share.tail.len()).unwrap_or(u8::MAX));
            out.extend(&share.tail);
            for word in [share.ntime, share.nonce, share.version] {
                out.extend(word.to_le_bytes());
            }
        }
        Share::Ethash(share) => out.extend(share.nonce.to_le_bytes()),
    }
}

/// Reads the miner's choices.
///
/// # Errors
/// [`WireError`] that names the field.
pub fn share(fields: &mut Fields<'_>, kind: JobKind) -> Result<Share, WireError> {
    Ok(match kind {
        JobKind::Header => Share::Header(HeaderShare {
            tail: {
                let tail = fields.short("share's tail")?;
                ArrayVec::try_from(tail)
                    .map_err(|_| fields.error("share's tail", "at most 32 bytes", tail.len()))?
            },
            ntime: fields.u32("share's ntime")?,
            nonce: fields.u32("share's nonce")?,
            version: fields.u32("share's version")?,
        }),
        JobKind::Ethash => Share::Ethash(EthashShare { nonce: fields.u64("share's nonce")? }),
    })
}
