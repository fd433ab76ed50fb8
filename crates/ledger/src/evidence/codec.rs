//! Bytes of an evidence file.

use super::{Evidence, EvidenceShare};
use alloy_primitives::{Address, B256};
use arrayvec::ArrayVec;
use hashlease_primitives::{Algorithm, Domain, HashRate, Job, LeaseId, SettlementWeight, SignedJob, Terms};
use hashlease_share::Share;
use hashlease_trie::Commitment;
use sha2::{Digest as _, Sha256};

const MAGIC: &[u8; 8] = b"HLEVIDNC";
const VERSION: u16 = 1;
const TRAILER: usize = 32;
/// Fewest bytes of a job and of a share: bounds what a count may claim before anything is allocated.
const SMALLEST_JOB: usize = 8 + 32 + 12 + 16 + 2 + 1 + 2 + 1 + 65;
const SMALLEST_SHARE: usize = 8 + 1 + 12;

/// A file that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("evidence file at byte {offset}: {field}: expected {expected}, got {got}")]
pub struct EvidenceError {
    /// Where.
    pub offset: usize,
    /// Which field.
    pub field: &'static str,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub got: String,
}

struct Fields<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Fields<'a> {
    fn error(&self, field: &'static str, expected: impl ToString, got: impl ToString) -> EvidenceError {
        EvidenceError { offset: self.offset, field, expected: expected.to_string(), got: got.to_string() }
    }

    fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.offset)
    }

    fn take(&mut self, field: &'static str, length: usize) -> Result<&'a [u8], EvidenceError> {
        let end = self.offset.saturating_add(length);
        let Some(taken) = self.bytes.get(self.offset..end) else {
            return Err(self.error(field, format!("{length} bytes"), format!("{} left", self.left())));
        };
        self.offset = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], EvidenceError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(field, N)?);
        Ok(array)
    }

    fn u8(&mut self, field: &'static str) -> Result<u8, EvidenceError> {
        Ok(u8::from_le_bytes(self.array(field)?))
    }

    fn u16(&mut self, field: &'static str) -> Result<u16, EvidenceError> {
        Ok(u16::from_le_bytes(self.array(field)?))
    }

    fn u32(&mut self, field: &'static str) -> Result<u32, EvidenceError> {
        Ok(u32::from_le_bytes(self.array(field)?))
    }

    fn u64(&mut self, field: &'static str) -> Result<u64, EvidenceError> {
        Ok(u64::from_le_bytes(self.array(field)?))
    }

    fn hash(&mut self, field: &'static str) -> Result<B256, EvidenceError> {
        Ok(B256::from(self.array(field)?))
    }

    fn address(&mut self, field: &'static str) -> Result<Address, EvidenceError> {
        Ok(Address::from(self.array(field)?))
    }

    fn long(&mut self, field: &'static str) -> Result<&'a [u8], EvidenceError> {
        let length = self.u16(field)?;
        self.take(field, usize::from(length))
    }

    /// A number of things of at least `smallest` bytes each.
    fn count(&mut self, field: &'static str, count: u64, smallest: usize) -> Result<usize, EvidenceError> {
        let possible = self.left().checked_div(smallest).unwrap_or_default();
        match usize::try_from(count) {
            Ok(count) if count <= possible => Ok(count),
            _ => Err(self.error(field, format!("at most {possible} in the bytes left"), count)),
        }
    }
}

fn terms(fields: &mut Fields<'_>) -> Result<Terms, EvidenceError> {
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
        rate: HashRate(u128::from_le_bytes(fields.array("rate")?)),
        start: fields.u64("start")?,
        end: fields.u64("end")?,
        duration: fields.u32("duration")?,
        epoch_length: fields.u32("epoch length")?,
    })
}

fn job(fields: &mut Fields<'_>, lease: LeaseId) -> Result<SignedJob, EvidenceError> {
    let job = Job {
        lease,
        sequence: fields.u64("job's sequence")?,
        prev_hash: fields.hash("job's previous hash")?,
        n_bits: fields.u32("job's nbits")?,
        version: fields.u32("job's version")?,
        version_mask: fields.u32("job's version mask")?,
        not_before: fields.u64("job's not before")?,
        not_after: fields.u64("job's not after")?,
        coinbase_prefix: fields.long("job's coinbase prefix")?.to_vec().into(),
        tail_length: fields.u8("job's tail length")?,
        coinbase_suffix: fields.long("job's coinbase suffix")?.to_vec().into(),
        branch: {
            let count = fields.u8("job's branch")?;
            (0..count).map(|_| fields.hash("job's branch")).collect::<Result<_, _>>()?
        },
    };
    Ok(SignedJob { job, signature: fields.array("job's signature")? })
}

fn share(fields: &mut Fields<'_>) -> Result<EvidenceShare, EvidenceError> {
    let job = fields.u64("share's job")?;
    let length = usize::from(fields.u8("share's tail")?);
    let tail = fields.take("share's tail", length)?;
    let tail =
        ArrayVec::try_from(tail).map_err(|_| fields.error("share's tail", "at most 32 bytes", length))?;
    let share = Share {
        tail,
        ntime: fields.u32("share's ntime")?,
        nonce: fields.u32("share's nonce")?,
        version: fields.u32("share's version")?,
    };
    Ok(EvidenceShare { job, share })
}

impl Evidence {
    /// Reads a file.
    ///
    /// # Errors
    /// [`EvidenceError`] that names place and field.
    pub fn decode(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let mut fields = Fields { bytes, offset: 0 };
        if fields.take("magic", MAGIC.len())? != MAGIC {
            fields.offset = 0;
            return Err(fields.error("magic", "HLEVIDNC", "something else: not an evidence file"));
        }
        let version = fields.u16("version")?;
        if version != VERSION {
            return Err(fields.error("version", VERSION, version));
        }
        let Some((content, trailer)) = bytes.split_last_chunk::<TRAILER>() else {
            return Err(fields.error("checksum", "32 bytes", "nothing"));
        };
        let actual: [u8; 32] = Sha256::digest(content).into();
        if actual != *trailer {
            return Err(EvidenceError {
                offset: content.len(),
                field: "checksum",
                expected: B256::from(actual).to_string(),
                got: B256::from(*trailer).to_string(),
            });
        }
        fields.bytes = content;
        let terms = terms(&mut fields)?;
        let epoch = fields.u32("epoch")?;
        let commitment = Commitment { root: fields.hash("root")?, count: fields.u64("count")? };
        let jobs = fields.u32("number of jobs")?;
        let jobs = fields.count("number of jobs", u64::from(jobs), SMALLEST_JOB)?;
        let jobs = (0..jobs).map(|_| job(&mut fields, terms.id)).collect::<Result<Vec<_>, _>>()?;
        let shares = fields.u64("number of shares")?;
        let shares = fields.count("number of shares", shares, SMALLEST_SHARE)?;
        let shares = (0..shares).map(|_| share(&mut fields)).collect::<Result<Vec<_>, _>>()?;
        if fields.left() != 0 {
            return Err(fields.error("end", "no more bytes", format!("{} more", fields.left())));
        }
        Ok(Self { terms, epoch, commitment, jobs, shares })
    }

    /// Writes a file. Jobs and shares are written as they stand: see the order that the format asks for.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.shares.len().saturating_mul(32).saturating_add(4_096));
        let terms = &self.terms;
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(terms.id.0.to_le_bytes());
        out.extend(terms.domain.chain_id.to_le_bytes());
        for address in [terms.domain.contract, terms.oracle, terms.provider, terms.job_signer] {
            out.extend(address.as_slice());
        }
        out.extend([terms.algorithm as u8, terms.weight.log2()]);
        out.extend(terms.rate.0.to_le_bytes());
        out.extend(terms.start.to_le_bytes());
        out.extend(terms.end.to_le_bytes());
        out.extend(terms.duration.to_le_bytes());
        out.extend(terms.epoch_length.to_le_bytes());
        out.extend(self.epoch.to_le_bytes());
        out.extend(self.commitment.root.as_slice());
        out.extend(self.commitment.count.to_le_bytes());
        out.extend(u32::try_from(self.jobs.len()).unwrap_or(u32::MAX).to_le_bytes());
        for SignedJob { job, signature } in &self.jobs {
            out.extend(job.sequence.to_le_bytes());
            out.extend(job.prev_hash.as_slice());
            for word in [job.n_bits, job.version, job.version_mask] {
                out.extend(word.to_le_bytes());
            }
            out.extend(job.not_before.to_le_bytes());
            out.extend(job.not_after.to_le_bytes());
            // a verified job's coinbase has at most 1,024 bytes and its branch 16 hashes
            out.extend(u16::try_from(job.coinbase_prefix.len()).unwrap_or(u16::MAX).to_le_bytes());
            out.extend(&job.coinbase_prefix);
            out.push(job.tail_length);
            out.extend(u16::try_from(job.coinbase_suffix.len()).unwrap_or(u16::MAX).to_le_bytes());
            out.extend(&job.coinbase_suffix);
            out.push(u8::try_from(job.branch.len()).unwrap_or(u8::MAX));
            for hash in &job.branch {
                out.extend(hash.as_slice());
            }
            out.extend(signature);
        }
        out.extend(u64::try_from(self.shares.len()).unwrap_or(u64::MAX).to_le_bytes());
        for EvidenceShare { job, share } in &self.shares {
            out.extend(job.to_le_bytes());
            out.push(u8::try_from(share.tail.len()).unwrap_or(u8::MAX));
            out.extend(&share.tail);
            for word in [share.ntime, share.nonce, share.version] {
                out.extend(word.to_le_bytes());
            }
        }
        let checksum = Sha256::digest(&out);
        out.extend(checksum);
        out
    }
}
