//! Records to bytes and back.

use super::{Record, RecordError};
use crate::wire::{Reader, put_long, put_text};
use alloy_primitives::{Address, B256};
use arrayvec::ArrayVec;
use hashlease_primitives::{Algorithm, Domain, HashRate, Job, LeaseId, SettlementWeight, SignedJob, Terms};
use hashlease_share::Share;
use hashlease_trie::Commitment;

const LEASE: u8 = 1;
const JOB: u8 = 2;
const SHARE: u8 = 3;
const VERDICT: u8 = 4;
const EPOCH_CLOSED: u8 = 5;
/// Version of every record's fields.
const VERSION: u8 = 1;

impl Record {
    /// Appends the body: type, version, fields.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> Result<(), RecordError> {
        match self {
            Self::Lease(terms) => {
                out.extend([LEASE, VERSION]);
                put_terms(out, terms);
            }
            Self::Job { at, signed } => {
                out.extend([JOB, VERSION]);
                out.extend(at.to_le_bytes());
                put_job(out, signed)?;
            }
            Self::Share { at, lease, job, key, epoch, share, worker } => {
                out.extend([SHARE, VERSION]);
                out.extend(at.to_le_bytes());
                out.extend(lease.0.to_le_bytes());
                out.extend(job.to_le_bytes());
                out.extend(key.as_slice());
                out.extend(epoch.to_le_bytes());
                out.push(short("tail", share.tail.len())?);
                out.extend(&share.tail);
                for word in [share.ntime, share.nonce, share.version] {
                    out.extend(word.to_le_bytes());
                }
                put_text(out, worker);
            }
            Self::Verdict { at, lease, key, accepted, code } => {
                out.extend([VERDICT, VERSION]);
                out.extend(at.to_le_bytes());
                out.extend(lease.0.to_le_bytes());
                out.extend(key.as_slice());
                out.push(u8::from(*accepted));
                put_text(out, code);
            }
            Self::EpochClosed { at, lease, epoch, commitment } => {
                out.extend([EPOCH_CLOSED, VERSION]);
                out.extend(at.to_le_bytes());
                out.extend(lease.0.to_le_bytes());
                out.extend(epoch.to_le_bytes());
                out.extend(commitment.root.as_slice());
                out.extend(commitment.count.to_le_bytes());
            }
        }
        Ok(())
    }

    /// Reads a body to its last byte.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, RecordError> {
        let mut fields = Reader(body);
        let (kind, version) = (fields.u8()?, fields.u8()?);
        if !(LEASE..=EPOCH_CLOSED).contains(&kind) {
            return Err(RecordError::UnknownType(kind));
        }
        if version != VERSION {
            return Err(RecordError::UnknownVersion { kind, expected: VERSION, actual: version });
        }
        let record = match kind {
            LEASE => Self::Lease(terms(&mut fields)?),
            JOB => Self::Job { at: fields.u64()?, signed: job(&mut fields)? },
            SHARE => Self::Share {
                at: fields.u64()?,
                lease: LeaseId(fields.u64()?),
                job: fields.u64()?,
                key: B256::from(fields.array()?),
                epoch: fields.u32()?,
                share: share(&mut fields)?,
                worker: fields.text()?,
            },
            VERDICT => Self::Verdict {
                at: fields.u64()?,
                lease: LeaseId(fields.u64()?),
                key: B256::from(fields.array()?),
                accepted: match fields.u8()? {
                    0 => false,
                    1 => true,
                    other => {
                        return Err(RecordError::Field("verdict", format!("expected 0 or 1, got {other}")));
                    }
                },
                code: fields.text()?,
            },
            _ => Self::EpochClosed {
                at: fields.u64()?,
                lease: LeaseId(fields.u64()?),
                epoch: fields.u32()?,
                commitment: Commitment { root: B256::from(fields.array()?), count: fields.u64()? },
            },
        };
        fields.end()?;
        Ok(record)
    }
}

/// A length that must fit one byte.
fn short(field: &'static str, length: usize) -> Result<u8, RecordError> {
    u8::try_from(length).map_err(|_| RecordError::Field(field, format!("expected at most 255, got {length}")))
}

fn put_terms(out: &mut Vec<u8>, terms: &Terms) {
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
}

fn terms(fields: &mut Reader<'_>) -> Result<Terms, RecordError> {
    let id = LeaseId(fields.u64()?);
    let chain_id = fields.u64()?;
    let [contract, oracle, provider, job_signer] = [
        Address::from(fields.array()?),
        Address::from(fields.array()?),
        Address::from(fields.array()?),
        Address::from(fields.array()?),
    ];
    let algorithm = Algorithm::try_from(fields.u8()?)
        .map_err(|error| RecordError::Field("algorithm", error.to_string()))?;
    let log2 = fields.u8()?;
    let weight =
        SettlementWeight::from_log2(log2).ok_or_else(|| RecordError::Field("weight", format!("2^{log2}")))?;
    Ok(Terms {
        id,
        domain: Domain { chain_id, contract },
        oracle,
        provider,
        job_signer,
        algorithm,
        weight,
        rate: HashRate(fields.u128()?),
        start: fields.u64()?,
        end: fields.u64()?,
        duration: fields.u32()?,
        epoch_length: fields.u32()?,
    })
}

fn put_job(out: &mut Vec<u8>, SignedJob { job, signature }: &SignedJob) -> Result<(), RecordError> {
    out.extend(job.lease.0.to_le_bytes());
    out.extend(job.sequence.to_le_bytes());
    out.extend(job.prev_hash.as_slice());
    for word in [job.n_bits, job.version, job.version_mask] {
        out.extend(word.to_le_bytes());
    }
    out.extend(job.not_before.to_le_bytes());
    out.extend(job.not_after.to_le_bytes());
    put_long(out, "coinbase prefix", &job.coinbase_prefix)?;
    out.push(job.tail_length);
    put_long(out, "coinbase suffix", &job.coinbase_suffix)?;
    out.push(short("branch", job.branch.len())?);
    for hash in &job.branch {
        out.extend(hash.as_slice());
    }
    out.extend(signature);
    Ok(())
}

fn job(fields: &mut Reader<'_>) -> Result<SignedJob, RecordError> {
    let job = Job {
        lease: LeaseId(fields.u64()?),
        sequence: fields.u64()?,
        prev_hash: B256::from(fields.array()?),
        n_bits: fields.u32()?,
        version: fields.u32()?,
        version_mask: fields.u32()?,
        not_before: fields.u64()?,
        not_after: fields.u64()?,
        coinbase_prefix: fields.long()?.to_vec().into(),
        tail_length: fields.u8()?,
        coinbase_suffix: fields.long()?.to_vec().into(),
        branch: {
            let count = fields.u8()?;
            (0..count).map(|_| Ok(B256::from(fields.array()?))).collect::<Result<_, RecordError>>()?
        },
    };
    Ok(SignedJob { job, signature: fields.array()? })
}

fn share(fields: &mut Reader<'_>) -> Result<Share, RecordError> {
    let length = usize::from(fields.u8()?);
    let tail = ArrayVec::try_from(fields.bytes(length)?)
        .map_err(|_| RecordError::Field("tail", format!("{length} bytes")))?;
    Ok(Share { tail, ntime: fields.u32()?, nonce: fields.u32()?, version: fields.u32()? })
}
