//! Encoding and decoding of records.

use super::{Record, RecordError};
use crate::wire::{put_text, text};
use hashlease_primitives::{Commitment, JobKind, LeaseId, UnixMillis};
use hashlease_share::wire::{self, Fields, put_job, put_share, put_terms};

const LEASE: u8 = 1;
const JOB: u8 = 2;
const SHARE: u8 = 3;
const VERDICT: u8 = 4;
const EPOCH_CLOSED: u8 = 5;
const ETHASH_JOB: u8 = 6;
const ETHASH_SHARE: u8 = 7;
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
                let kind = match signed.job.kind() {
                    JobKind::Header => JOB,
                    JobKind::Ethash => ETHASH_JOB,
                };
                out.extend([kind, VERSION]);
                out.extend(at.get().to_le_bytes());
                out.extend(signed.job.lease().0.to_le_bytes());
                put_job(out, signed)?;
            }
            Self::Share { at, lease, job, key, epoch, share, worker } => {
                let kind = match share.kind() {
                    JobKind::Header => SHARE,
                    JobKind::Ethash => ETHASH_SHARE,
                };
                out.extend([kind, VERSION]);
                out.extend(at.get().to_le_bytes());
                out.extend(lease.0.to_le_bytes());
                out.extend(job.to_le_bytes());
                out.extend(key.as_slice());
                out.extend(epoch.to_le_bytes());
                put_share(out, share);
                put_text(out, worker);
            }
            Self::Verdict { at, lease, key, accepted, code } => {
                out.extend([VERDICT, VERSION]);
                out.extend(at.get().to_le_bytes());
                out.extend(lease.0.to_le_bytes());
                out.extend(key.as_slice());
                out.push(u8::from(*accepted));
                put_text(out, code);
            }
            Self::EpochClosed { at, lease, epoch, commitment } => {
                out.extend([EPOCH_CLOSED, VERSION]);
                out.extend(at.get().to_le_bytes());
                out.extend(lease.0.to_le_bytes());
                out.extend(epoch.to_le_bytes());
                out.extend(commitment.root.as_slice());
                out.extend(commitment.count.to_le_bytes());
            }
        }
        Ok(())
    }

    /// Decodes a body. Bytes after the last field are an error.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, RecordError> {
        let mut fields = Fields::new(body);
        let fields = &mut fields;
        let (kind, version) = (fields.u8("record's type")?, fields.u8("record's version")?);
        if !(LEASE..=ETHASH_SHARE).contains(&kind) {
            return Err(RecordError::UnknownType(kind));
        }
        if version != VERSION {
            return Err(RecordError::UnknownVersion { kind, expected: VERSION, actual: version });
        }
        let record = match kind {
            LEASE => Self::Lease(wire::terms(fields)?),
            JOB => job(fields, JobKind::Header)?,
            ETHASH_JOB => job(fields, JobKind::Ethash)?,
            SHARE => share(fields, JobKind::Header)?,
            ETHASH_SHARE => share(fields, JobKind::Ethash)?,
            VERDICT => Self::Verdict {
                at: UnixMillis::new(fields.u64("verdict's time")?),
                lease: LeaseId(fields.u64("verdict's lease")?),
                key: fields.hash("verdict's key")?,
                accepted: match fields.u8("verdict")? {
                    0 => false,
                    1 => true,
                    other => return Err(fields.error("verdict", "0 or 1", other).into()),
                },
                code: text(fields, "verdict's code")?,
            },
            _ => Self::EpochClosed {
                at: UnixMillis::new(fields.u64("closing's time")?),
                lease: LeaseId(fields.u64("closing's lease")?),
                epoch: fields.u32("closing's epoch")?,
                commitment: Commitment {
                    root: fields.hash("closing's root")?,
                    count: fields.u64("closing's count")?,
                },
            },
        };
        fields.end()?;
        Ok(record)
    }
}

fn job(fields: &mut Fields<'_>, kind: JobKind) -> Result<Record, RecordError> {
    let (at, lease) = (fields.u64("job's time")?, LeaseId(fields.u64("job's lease")?));
    Ok(Record::Job { at: UnixMillis::new(at), signed: wire::job(fields, kind, lease)? })
}

fn share(fields: &mut Fields<'_>, kind: JobKind) -> Result<Record, RecordError> {
    Ok(Record::Share {
        at: UnixMillis::new(fields.u64("share's time")?),
        lease: LeaseId(fields.u64("share's lease")?),
        job: fields.u64("share's job")?,
        key: fields.hash("share's key")?,
        epoch: fields.u32("share's epoch")?,
        share: wire::share(fields, kind)?,
        worker: text(fields, "share's worker")?,
    })
}
