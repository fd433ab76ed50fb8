//! Reads a pool's notifications.

use crate::dialect::Notify;
use alloy_primitives::B256;
use hashlease_primitives::Difficulty;
use serde_json::{Value, value::RawValue};

/// A notification that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{method}: {field}: expected {expected}, got {got:?}")]
pub struct NoticeError {
    /// Method.
    pub method: &'static str,
    /// The field.
    pub field: &'static str,
    /// What it should be.
    pub expected: &'static str,
    /// What it is, shortened.
    pub got: String,
}

/// A notification of a pool.
#[derive(Clone, Debug, PartialEq)]
pub enum PoolNotice {
    /// `mining.notify`.
    Notify(Box<Notify>),
    /// `mining.set_difficulty`.
    Difficulty(Difficulty),
    /// `mining.set_extranonce`.
    Extranonce {
        /// New extranonce1.
        extranonce1: Vec<u8>,
        /// New size of extranonce2, bytes.
        extranonce2_size: usize,
    },
    /// `mining.set_version_mask`.
    VersionMask(u32),
    /// `client.reconnect`.
    Reconnect,
    /// `client.show_message`.
    Message(String),
    /// Any other notification.
    Other {
        /// Method.
        method: String,
        /// Parameters as they came.
        params: Value,
    },
}

/// The wire has each 32-bit word of the previous block's hash byte-swapped; the change is its own
/// inverse.
#[must_use]
pub(crate) fn swap_words(hash: &B256) -> B256 {
    let mut swapped = B256::ZERO;
    for (to, from) in swapped.chunks_exact_mut(4).zip(hash.chunks_exact(4)) {
        for (to, from) in to.iter_mut().zip(from.iter().rev()) {
            *to = *from;
        }
    }
    swapped
}

struct Fields<'a> {
    method: &'static str,
    list: &'a [Value],
}

impl Fields<'_> {
    fn error(&self, field: &'static str, expected: &'static str, index: usize) -> NoticeError {
        let got = self.list.get(index).map_or_else(|| "nothing".into(), ToString::to_string);
        NoticeError { method: self.method, field, expected, got: got.chars().take(64).collect() }
    }

    fn text(&self, index: usize, field: &'static str) -> Result<String, NoticeError> {
        match self.list.get(index) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            _ => Err(self.error(field, "a string", index)),
        }
    }

    fn bytes(&self, index: usize, field: &'static str) -> Result<Vec<u8>, NoticeError> {
        let text = self.text(index, field)?;
        hex::decode(&text).map_err(|_| self.error(field, "hexadecimal digits", index))
    }

    fn word(&self, index: usize, field: &'static str) -> Result<u32, NoticeError> {
        let text = self.text(index, field)?;
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(self.error(field, "up to 8 hexadecimal digits", index));
        }
        u32::from_str_radix(digits, 16).map_err(|_| self.error(field, "up to 8 hexadecimal digits", index))
    }

    fn size(&self, index: usize, field: &'static str) -> Result<usize, NoticeError> {
        let size = self.list.get(index).and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
        size.filter(|size| *size <= 64).ok_or_else(|| self.error(field, "0 to 64", index))
    }

    fn notify(&self) -> Result<Notify, NoticeError> {
        let hash = self.bytes(1, "previous hash")?;
        let hash: [u8; 32] = hash.try_into().map_err(|_| self.error("previous hash", "32 bytes", 1))?;
        let Some(Value::Array(steps)) = self.list.get(4) else {
            return Err(self.error("branch", "a list", 4));
        };
        let branch = steps.iter().map(|step| {
            let bytes = step.as_str().and_then(|text| hex::decode(text).ok());
            bytes.and_then(|bytes| B256::try_from(bytes.as_slice()).ok())
        });
        let branch: Option<Vec<B256>> = branch.collect();
        Ok(Notify {
            job_id: self.text(0, "job id")?,
            prev_hash: swap_words(&B256::from(hash)),
            coinb1: self.bytes(2, "coinb1")?,
            coinb2: self.bytes(3, "coinb2")?,
            branch: branch.ok_or_else(|| self.error("branch", "hashes of 32 bytes", 4))?,
            version: self.word(5, "version")?,
            n_bits: self.word(6, "nbits")?,
            ntime: self.word(7, "ntime")?,
            // some pools insert more fields, but clean_jobs is always the last
            clean_jobs: self.list.last().and_then(Value::as_bool).unwrap_or(false),
        })
    }
}

/// Extranonce1 and the size of extranonce2, at a position of a list.
pub(crate) fn extranonce(
    method: &'static str,
    list: &[Value],
    at: usize,
) -> Result<(Vec<u8>, usize), NoticeError> {
    let fields = Fields { method, list };
    let extranonce1 = fields.bytes(at, "extranonce1")?;
    if extranonce1.len() > 64 {
        return Err(fields.error("extranonce1", "at most 64 bytes", at));
    }
    Ok((extranonce1, fields.size(at.saturating_add(1), "extranonce2 size")?))
}

impl PoolNotice {
    /// Reads a notification.
    ///
    /// # Errors
    /// [`NoticeError`] that names the field.
    pub fn read(method: &str, params: &RawValue) -> Result<Self, NoticeError> {
        // unreadable parameters are null, so the first missing field is reported
        let value: Value = serde_json::from_str(params.get()).unwrap_or_default();
        let list: &[Value] = value.as_array().map_or(&[], Vec::as_slice);
        match method {
            "mining.notify" => {
                let fields = Fields { method: "mining.notify", list };
                Ok(Self::Notify(Box::new(fields.notify()?)))
            }
            "mining.set_difficulty" => {
                let fields = Fields { method: "mining.set_difficulty", list };
                // the text itself, not a float of it; without a list there is no difficulty
                let raw: Vec<&RawValue> = serde_json::from_str(params.get()).unwrap_or_default();
                let text = raw.first().map_or("", |raw| raw.get().trim_matches('"'));
                let difficulty: Difficulty =
                    text.parse().map_err(|_| fields.error("difficulty", "a positive decimal number", 0))?;
                Ok(Self::Difficulty(difficulty))
            }
            "mining.set_extranonce" => {
                let (extranonce1, extranonce2_size) = extranonce("mining.set_extranonce", list, 0)?;
                Ok(Self::Extranonce { extranonce1, extranonce2_size })
            }
            "mining.set_version_mask" => {
                let fields = Fields { method: "mining.set_version_mask", list };
                Ok(Self::VersionMask(fields.word(0, "mask")?))
            }
            "client.reconnect" => Ok(Self::Reconnect),
            "client.show_message" => {
                let text = list.first().and_then(Value::as_str).unwrap_or_default();
                Ok(Self::Message(text.chars().take(256).collect()))
            }
            other => Ok(Self::Other { method: other.to_owned(), params: value }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, params: &str) -> Result<PoolNotice, NoticeError> {
        PoolNotice::read(method, &RawValue::from_string(params.into()).unwrap())
    }

    #[test]
    fn a_notify_names_the_field_that_is_wrong() {
        let hash = "00".repeat(32);
        let with = |hash: &str, coinb1: &str, branch: &str| {
            read(
                "mining.notify",
                &format!(r#"["1","{hash}","{coinb1}","02",{branch},"20000000","1d00ffff","5e54c0d3",true]"#),
            )
        };
        assert!(matches!(with(&hash, "01", "[]"), Ok(PoolNotice::Notify(notify)) if notify.clean_jobs));
        assert_eq!(with("00", "01", "[]").unwrap_err().field, "previous hash");
        assert_eq!(with(&hash, "0", "[]").unwrap_err().field, "coinb1");
        assert_eq!(with(&hash, "01", r#"["00"]"#).unwrap_err().field, "branch");
        assert_eq!(read("mining.notify", "[]").unwrap_err().field, "previous hash");
    }

    #[test]
    fn the_previous_hash_is_unswapped() {
        let mut wire = B256::ZERO;
        for (i, byte) in wire.iter_mut().enumerate() {
            *byte = i as u8;
        }
        let header = swap_words(&wire);
        assert_eq!(&header[..8], [3, 2, 1, 0, 7, 6, 5, 4]);
        assert_eq!(swap_words(&header), wire);
    }

    #[test]
    fn difficulties_below_one_stay_exact() {
        let exact: Difficulty = "0.00000002".parse().unwrap();
        assert_eq!(read("mining.set_difficulty", "[2e-8]"), Ok(PoolNotice::Difficulty(exact)));
        assert!(read("mining.set_difficulty", "[0]").is_err());
        assert!(read("mining.set_difficulty", "[]").is_err());
    }
}
