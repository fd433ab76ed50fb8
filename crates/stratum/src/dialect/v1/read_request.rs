//! Reads the parameters of a miner's requests.

use crate::dialect::{MinerRequest, RequestError, Submit, VersionRolling};
use alloy_primitives::U256;
use hashlease_primitives::{JobKind, Target};
use serde_json::value::RawValue;

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(64).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Parameters of one request.
struct Fields<'a> {
    method: &'static str,
    list: Vec<&'a RawValue>,
}

impl<'a> Fields<'a> {
    fn read(method: &'static str, params: &'a RawValue) -> Result<Self, RequestError> {
        let list = serde_json::from_str(params.get()).map_err(|_| RequestError {
            method,
            field: "params",
            expected: "a list".into(),
            got: shortened(params.get()),
        })?;
        Ok(Self { method, list })
    }

    fn error(&self, field: &'static str, expected: impl Into<String>, got: &str) -> RequestError {
        RequestError { method: self.method, field, expected: expected.into(), got: shortened(got) }
    }

    /// A string, or a number as its text: some send numbers as worker names.
    fn text(&self, index: usize, field: &'static str) -> Result<String, RequestError> {
        let Some(raw) = self.list.get(index).filter(|raw| raw.get() != "null") else {
            return Err(self.error(field, "a string", "nothing"));
        };
        if let Ok(text) = serde_json::from_str::<String>(raw.get()) {
            return Ok(text);
        }
        if serde_json::from_str::<serde_json::Number>(raw.get()).is_ok() {
            return Ok(raw.get().to_owned());
        }
        Err(self.error(field, "a string", raw.get()))
    }

    fn optional(&self, index: usize) -> Option<String> {
        self.text(index, "").ok()
    }

    /// Exactly eight hexadecimal digits, either case, with or without `0x`.
    fn word(&self, index: usize, field: &'static str) -> Result<u32, RequestError> {
        let text = self.text(index, field)?;
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        if digits.len() != 8 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(self.error(field, "8 hexadecimal digits", &text));
        }
        u32::from_str_radix(digits, 16).map_err(|_| self.error(field, "8 hexadecimal digits", &text))
    }

    fn bytes(&self, index: usize, field: &'static str) -> Result<Vec<u8>, RequestError> {
        let text = self.text(index, field)?;
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        if digits.len() > 128 {
            return Err(self.error(field, "at most 64 bytes", &text));
        }
        hex::decode(digits).map_err(|_| self.error(field, "an even number of hexadecimal digits", &text))
    }
}

fn mask(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (digits.len() <= 8 && hexadecimal).then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// 1 to 64 hexadecimal digits, most significant first; zero is not a target.
fn target(text: &str) -> Option<Target> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.len() > 64 || digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    U256::from_str_radix(digits, 16).ok().filter(|target| !target.is_zero()).map(Target)
}

fn configure(fields: &Fields<'_>) -> Result<MinerRequest, RequestError> {
    let names: Vec<String> = match fields.list.first() {
        Some(raw) => serde_json::from_str(raw.get())
            .map_err(|_| fields.error("extensions", "a list of names", raw.get()))?,
        None => Vec::new(),
    };
    // unreadable options count as none
    let options: serde_json::Map<String, serde_json::Value> =
        fields.list.get(1).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let mut version_rolling = None;
    let mut others = Vec::new();
    for name in names {
        if name == "version-rolling" {
            let asked = options.get("version-rolling.mask").and_then(serde_json::Value::as_str);
            let mask = match asked {
                Some(text) => mask(text).ok_or_else(|| {
                    fields.error("version-rolling.mask", "up to 8 hexadecimal digits", text)
                })?,
                None => u32::MAX,
            };
            let count = options.get("version-rolling.min-bit-count").and_then(serde_json::Value::as_u64);
            // a count that does not fit is above the 32 bits there are, as the largest value is
            let min_bit_count = u32::try_from(count.unwrap_or_default()).unwrap_or(u32::MAX);
            version_rolling = Some(VersionRolling { mask, min_bit_count });
        } else {
            others.push(shortened(&name));
        }
    }
    Ok(MinerRequest::Configure { version_rolling, others })
}

impl MinerRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// [`RequestError`] that names the field.
    pub fn read(method: &str, params: &RawValue) -> Result<Self, RequestError> {
        if method.starts_with("mining.suggest_difficulty") {
            // some write the number into the method's name
            let glued = method.trim_start_matches("mining.suggest_difficulty").trim_matches(['(', ')', ' ']);
            // an unreadable suggestion is ignored
            let list: Vec<&RawValue> = serde_json::from_str(params.get()).unwrap_or_default();
            let text = list.first().map_or(glued, |raw| raw.get().trim_matches('"'));
            return Ok(Self::Suggest { difficulty: text.parse().ok(), target: None });
        }
        match method {
            "mining.subscribe" => {
                let fields = Fields::read("mining.subscribe", params)?;
                Ok(Self::Subscribe { agent: fields.optional(0) })
            }
            "mining.authorize" => {
                let fields = Fields::read("mining.authorize", params)?;
                Ok(Self::Authorize { user: fields.text(0, "user")?, password: fields.optional(1) })
            }
            "mining.submit" => {
                let fields = Fields::read("mining.submit", params)?;
                Ok(Self::Submit(Submit {
                    worker: fields.text(0, "worker")?,
                    job_id: fields.text(1, "job id")?,
                    extranonce2: fields.bytes(2, "extranonce2")?,
                    ntime: fields.word(3, "ntime")?,
                    nonce: fields.word(4, "nonce")?,
                    version_bits: match fields.list.get(5) {
                        Some(raw) if raw.get() != "null" => Some(fields.word(5, "version bits")?),
                        _ => None,
                    },
                }))
            }
            "mining.configure" => configure(&Fields::read("mining.configure", params)?),
            "mining.extranonce.subscribe" => Ok(Self::ExtranonceSubscribe),
            "mining.suggest_target" => {
                // an unreadable suggestion is ignored
                let list: Vec<&RawValue> = serde_json::from_str(params.get()).unwrap_or_default();
                let text = list.first().map_or("", |raw| raw.get().trim_matches('"'));
                Ok(Self::Suggest { difficulty: None, target: target(text) })
            }
            "mining.ping" => Ok(Self::Ping),
            // `mining.get_transactions` is not among them: bfgminer takes an empty list for a lie,
            // and an error for a pool that does not tell
            "mining.multi_version" | "mining.get_hashrate" | "mining.get_version" => Ok(Self::Harmless),
            // `eth_submitLogin`, `eth_getWork` and others: miners for Ethash speak another dialect
            other if other.starts_with("eth_") => {
                Ok(Self::OtherDialect { kind: JobKind::Ethash, method: shortened(other) })
            }
            other => Ok(Self::Unknown { method: shortened(other) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BIP320_MASK;
    use hashlease_primitives::Difficulty;
    use proptest::prelude::*;

    fn read(method: &str, params: &str) -> Result<MinerRequest, RequestError> {
        MinerRequest::read(method, &RawValue::from_string(params.into()).unwrap())
    }

    #[test]
    fn submits_are_read_strictly() {
        let good = r#"["w","1f","0011AAbb","5e54c0d3","0000000a","1fffe000"]"#;
        let MinerRequest::Submit(submit) = read("mining.submit", good).unwrap() else { panic!() };
        assert_eq!(submit.extranonce2, [0, 0x11, 0xaa, 0xbb]);
        assert_eq!((submit.ntime, submit.nonce, submit.version_bits), (0x5e54_c0d3, 10, Some(BIP320_MASK)));
        for (bad, field) in [
            (r#"["w","1","00","5e54c0d3","a"]"#, "nonce"),
            (r#"["w","1","00","5e54c0d","0000000a"]"#, "ntime"),
            (r#"["w","1","00","5e54c0d3","0000000a0"]"#, "nonce"),
            (r#"["w","1","0","5e54c0d3","0000000a"]"#, "extranonce2"),
            (r#"["w","1","zz","5e54c0d3","0000000a"]"#, "extranonce2"),
            (r#"["w","1","00","+e54c0d3","0000000a"]"#, "ntime"),
            (r#"["w","1","00","5e54c0d3","0000000a","1fffe0"]"#, "version bits"),
            (r#"["w","1","00","5e54c0d3"]"#, "nonce"),
            (r#"[]"#, "worker"),
            (r#"{"a":1}"#, "params"),
        ] {
            assert_eq!(read("mining.submit", bad).unwrap_err().field, field, "{bad}");
        }
    }

    #[test]
    fn suggestions_come_in_many_forms() {
        for (method, params) in [
            ("mining.suggest_difficulty", "[0.5]"),
            ("mining.suggest_difficulty", "[\"0.5\"]"),
            ("mining.suggest_difficulty(0.5)", "[]"),
            ("mining.suggest_difficulty", "[5e-1]"),
        ] {
            let MinerRequest::Suggest { difficulty, target } = read(method, params).unwrap() else {
                panic!()
            };
            let half: Difficulty = "0.5".parse().unwrap();
            assert_eq!(difficulty, Some(half), "{method} {params}");
            assert_eq!(target, None);
        }
        for (text, expected) in [
            (
                "00000000ffff0000000000000000000000000000000000000000000000000000",
                Target::from_compact(0x1d00_ffff),
            ),
            ("ff", Some(Target(U256::from(255)))),
            ("0x1", Some(Target(U256::ONE))),
            ("", None),
            ("0", None),
            ("+1", None),
            ("xyz", None),
            ("10000000000000000000000000000000000000000000000000000000000000000", None),
        ] {
            let expected = MinerRequest::Suggest { difficulty: None, target: expected };
            assert_eq!(read("mining.suggest_target", &format!("[\"{text}\"]")).unwrap(), expected, "{text}");
        }
        let unreadable = MinerRequest::Suggest { difficulty: None, target: None };
        for params in ["[]", "{}", "[null]", "[\"x\"]", "[-1]", "[0]"] {
            assert_eq!(read("mining.suggest_difficulty", params).unwrap(), unreadable, "{params}");
        }
    }

    #[test]
    fn configure_reads_masks_of_any_form() {
        let rolling = |params: &str| match read("mining.configure", params).unwrap() {
            MinerRequest::Configure { version_rolling, others } => (version_rolling, others),
            other => panic!("{other:?}"),
        };
        let full = r#"[["minimum-difficulty","version-rolling"],{"version-rolling.mask":"ffffffff","version-rolling.min-bit-count":2}]"#;
        let (found, others) = rolling(full);
        assert_eq!(found, Some(VersionRolling { mask: u32::MAX, min_bit_count: 2 }));
        assert_eq!(others, ["minimum-difficulty"]);
        assert_eq!(rolling("[]"), (None, vec![]));
        assert!(read("mining.configure", r#"[["version-rolling"],{"version-rolling.mask":"xyz"}]"#).is_err());
    }

    proptest! {
        #[test]
        fn no_parameters_make_it_panic(method in "mining\\.[a-z_.()0-9]{0,20}", params in "\\PC{0,80}") {
            if let Ok(raw) = RawValue::from_string(params) {
                let _ = MinerRequest::read(&method, &raw);
                let _ = MinerRequest::read("mining.submit", &raw);
                let _ = MinerRequest::read("mining.configure", &raw);
            }
        }
    }
}
