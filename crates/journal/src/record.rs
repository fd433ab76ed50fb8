//! Records and their bytes.
//!
//! ```text
//! type  payload
//! 1     lease: u64 id · u64 chain id · 20 escrow · 20 oracle · 20 provider · 20 job signer · u8 algorithm ·
//!       u8 log2 of the weight · u128 rate · u64 start · u64 end · u32 duration · u32 epoch length
//! 2     job: u64 at · u64 lease · u64 sequence · 32 previous hash · u32 nbits · u32 version · u32 mask ·
//!       u64 not before · u64 not after · u16+bytes prefix · u8 tail length · u16+bytes suffix ·
//!       u8 number of branch hashes · 32 each · 65 signature
//! 3     share: u64 at · u64 lease · u64 job · 32 key · u32 epoch · u8+bytes tail · u32 ntime · u32 nonce ·
//!       u32 version · u8+text worker
//! 4     verdict: u64 at · u64 lease · 32 key · u8 accepted (0, 1) · u8+text code
//! 5     epoch closed: u64 at · u64 lease · u32 epoch · 32 root · u64 count
//! 6, 7  reserved for Ethash jobs and shares
//! ```
//! Times `at` are Unix milliseconds, all others Unix seconds.

use crate::wire::{Reader, put_long, put_text};
use alloy_primitives::{Address, B256};
use arrayvec::ArrayVec;
use hashlease_primitives::{Algorithm, Domain, HashRate, Job, LeaseId, SettlementWeight, SignedJob, Terms};
use hashlease_share::{Share, VerifiedShare};
use hashlease_trie::Commitment;

/// Longest body of a record, bytes.
pub const MAX_BODY: usize = 64 * 1_024;

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A lease's terms, when it is first seen and when its end came closer.
    Lease(Terms),
    /// A verified job, before any miner gets it.
    Job {
        /// When it came, Unix milliseconds.
        at: u64,
        /// The job and its signature.
        signed: SignedJob,
    },
    /// A counted share. Made by [`Record::share`].
    Share {
        /// When it came, Unix milliseconds.
        at: u64,
        /// Lease.
        lease: LeaseId,
        /// Sequence of its job.
        job: u64,
        /// Identity: the hash of the header, raw digest bytes.
        key: B256,
        /// Epoch of its header time.
        epoch: u32,
        /// What the miner chose.
        share: Share,
        /// Worker, at most 255 bytes.
        worker: String,
    },
    /// The pool's verdict on a share.
    Verdict {
        /// When it came, Unix milliseconds.
        at: u64,
        /// Lease.
        lease: LeaseId,
        /// Key of the share.
        key: B256,
        /// Whether the pool took it.
        accepted: bool,
        /// The pool's reason otherwise, at most 255 bytes.
        code: String,
    },
    /// An epoch was closed.
    EpochClosed {
        /// When, Unix milliseconds.
        at: u64,
        /// Lease.
        lease: LeaseId,
        /// Epoch.
        epoch: u32,
        /// Root and count.
        commitment: Commitment,
    },
}

/// A body that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Reserved or newer than this program.
    #[error("record of type {0} is not known to this version")]
    UnknownType(u8),
    /// It ends too early.
    #[error("record ends too early: expected {expected} more bytes, got {actual}")]
    TooShort {
        /// Needed.
        expected: usize,
        /// Left.
        actual: usize,
    },
    /// It goes on after its last field.
    #[error("record goes on for {0} bytes after its last field")]
    Trailing(usize),
    /// A field is out of range.
    #[error("record's {0}: {1}")]
    Field(&'static str, String),
}

impl Record {
    /// The record of a counted share: only the verifier makes what it takes.
    #[must_use]
    pub fn share(at: u64, share: &VerifiedShare, worker: &str) -> Self {
        Self::Share {
            at,
            lease: share.lease(),
            job: share.job(),
            key: share.key(),
            epoch: share.epoch(),
            share: share.share().clone(),
            worker: worker.to_owned(),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        match self {
            Self::Lease(terms) => {
                out.push(1);
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
            Self::Job { at, signed: SignedJob { job, signature } } => {
                out.push(2);
                out.extend(at.to_le_bytes());
                out.extend(job.lease.0.to_le_bytes());
                out.extend(job.sequence.to_le_bytes());
                out.extend(job.prev_hash.as_slice());
                for word in [job.n_bits, job.version, job.version_mask] {
                    out.extend(word.to_le_bytes());
                }
                out.extend(job.not_before.to_le_bytes());
                out.extend(job.not_after.to_le_bytes());
                put_long(&mut out, &job.coinbase_prefix);
                out.push(job.tail_length);
                put_long(&mut out, &job.coinbase_suffix);
                out.push(u8::try_from(job.branch.len()).unwrap_or(u8::MAX));
                for hash in job.branch.iter().take(usize::from(u8::MAX)) {
                    out.extend(hash.as_slice());
                }
                out.extend(signature);
            }
            Self::Share { at, lease, job, key, epoch, share, worker } => {
                out.push(3);
                out.extend(at.to_le_bytes());
                out.extend(lease.0.to_le_bytes());
                out.extend(job.to_le_bytes());
                out.extend(key.as_slice());
                out.extend(epoch.to_le_bytes());
                out.push(u8::try_from(share.tail.len()).unwrap_or(u8::MAX));
                out.extend(&share.tail);
                for word in [share.ntime, share.nonce, share.version] {
                    out.extend(word.to_le_bytes());
                }
                put_text(&mut out, worker);
            }
            Self::Verdict { at, lease, key, accepted, code } => {
                out.push(4);
                out.extend(at.to_le_bytes());
                out.extend(lease.0.to_le_bytes());
                out.extend(key.as_slice());
                out.push(u8::from(*accepted));
                put_text(&mut out, code);
            }
            Self::EpochClosed { at, lease, epoch, commitment } => {
                out.push(5);
                out.extend(at.to_le_bytes());
                out.extend(lease.0.to_le_bytes());
                out.extend(epoch.to_le_bytes());
                out.extend(commitment.root.as_slice());
                out.extend(commitment.count.to_le_bytes());
            }
        }
        out
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, RecordError> {
        let mut fields = Reader(body);
        let record = match fields.u8()? {
            1 => Self::Lease(decode_terms(&mut fields)?),
            2 => Self::Job { at: fields.u64()?, signed: decode_job(&mut fields)? },
            3 => Self::Share {
                at: fields.u64()?,
                lease: LeaseId(fields.u64()?),
                job: fields.u64()?,
                key: B256::from(fields.array()?),
                epoch: fields.u32()?,
                share: {
                    let length = usize::from(fields.u8()?);
                    let tail = ArrayVec::try_from(fields.bytes(length)?)
                        .map_err(|_| RecordError::Field("tail", format!("{length} bytes")))?;
                    Share { tail, ntime: fields.u32()?, nonce: fields.u32()?, version: fields.u32()? }
                },
                worker: fields.text()?,
            },
            4 => Self::Verdict {
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
            5 => Self::EpochClosed {
                at: fields.u64()?,
                lease: LeaseId(fields.u64()?),
                epoch: fields.u32()?,
                commitment: Commitment { root: B256::from(fields.array()?), count: fields.u64()? },
            },
            other => return Err(RecordError::UnknownType(other)),
        };
        fields.end()?;
        Ok(record)
    }
}

fn decode_terms(fields: &mut Reader<'_>) -> Result<Terms, RecordError> {
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

fn decode_job(fields: &mut Reader<'_>) -> Result<SignedJob, RecordError> {
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn any_record() -> impl Strategy<Value = Record> {
        let hash = || any::<[u8; 32]>().prop_map(B256::from);
        let lease = || any::<u64>().prop_map(LeaseId);
        prop_oneof![
            (any::<[u64; 4]>(), any::<[[u8; 20]; 4]>(), 1u8..=4, 0u8..96, any::<u128>(), any::<[u32; 2]>())
                .prop_map(|(numbers, addresses, algorithm, log2, rate, seconds)| {
                    let [id, chain_id, start, end] = numbers;
                    let [contract, oracle, provider, job_signer] = addresses.map(Address::from);
                    let [duration, epoch_length] = seconds;
                    Record::Lease(Terms {
                        id: LeaseId(id),
                        domain: Domain { chain_id, contract },
                        oracle,
                        provider,
                        job_signer,
                        algorithm: Algorithm::try_from(algorithm).unwrap(),
                        weight: SettlementWeight::from_log2(log2).unwrap(),
                        rate: HashRate(rate),
                        start,
                        end,
                        duration,
                        epoch_length,
                    })
                }),
            (
                any::<[u64; 5]>(),
                any::<[u32; 3]>(),
                hash(),
                prop::collection::vec(any::<u8>(), 0..300),
                prop::collection::vec(any::<u8>(), 0..300),
                prop::collection::vec(hash(), 0..17),
                prop::array::uniform32(any::<u8>()),
                any::<u8>()
            )
                .prop_map(
                    |(numbers, words, prev_hash, prefix, suffix, branch, half, tail_length)| {
                        let [at, lease, sequence, not_before, not_after] = numbers;
                        let [n_bits, version, version_mask] = words;
                        let mut signature = [7; 65];
                        signature[..32].copy_from_slice(&half);
                        let job = Job {
                            lease: LeaseId(lease),
                            sequence,
                            prev_hash,
                            n_bits,
                            version,
                            version_mask,
                            not_before,
                            not_after,
                            coinbase_prefix: prefix.into(),
                            tail_length,
                            coinbase_suffix: suffix.into(),
                            branch,
                        };
                        Record::Job { at, signed: SignedJob { job, signature } }
                    }
                ),
            (
                any::<u64>(),
                lease(),
                any::<u64>(),
                hash(),
                any::<[u32; 4]>(),
                prop::collection::vec(any::<u8>(), 0..=32),
                "\\PC{0,40}"
            )
                .prop_map(|(at, lease, job, key, words, tail, worker)| {
                    let [epoch, ntime, nonce, version] = words;
                    let tail = ArrayVec::try_from(tail.as_slice()).unwrap();
                    Record::Share {
                        at,
                        lease,
                        job,
                        key,
                        epoch,
                        share: Share { tail, ntime, nonce, version },
                        worker,
                    }
                }),
            (any::<u64>(), lease(), hash(), any::<bool>(), "[ -~]{0,255}").prop_map(
                |(at, lease, key, accepted, code)| Record::Verdict { at, lease, key, accepted, code }
            ),
            (any::<u64>(), lease(), any::<u32>(), hash(), any::<u64>()).prop_map(
                |(at, lease, epoch, root, count)| {
                    Record::EpochClosed { at, lease, epoch, commitment: Commitment { root, count } }
                }
            ),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(record in any_record()) {
            prop_assert_eq!(Record::decode(&record.encode()), Ok(record));
        }

        #[test]
        fn no_bytes_make_it_panic_and_none_are_left_over(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(record) = Record::decode(&bytes) {
                prop_assert_eq!(record.encode(), bytes);
            }
        }
    }

    #[test]
    fn reserved_types_and_long_records_are_refused() {
        assert_eq!(Record::decode(&[6]), Err(RecordError::UnknownType(6)));
        let closed = Record::EpochClosed {
            at: 0,
            lease: LeaseId(1),
            epoch: 0,
            commitment: Commitment { root: B256::ZERO, count: 0 },
        };
        let mut body = closed.encode();
        body.push(0);
        assert_eq!(Record::decode(&body), Err(RecordError::Trailing(1)));
    }
}
