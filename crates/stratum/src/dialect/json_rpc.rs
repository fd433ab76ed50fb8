//! Reads one line of JSON-RPC as leniently as miners and pools require.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::fmt;

/// An id as the peer wrote it: number, string, null or missing. It is echoed as it came and is
/// never unique.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Id(pub IdText);

/// The JSON text of an [`Id`], untouched: a number beyond 64 bits or with a fraction is returned
/// unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdText(Box<str>);

impl Default for IdText {
    fn default() -> Self {
        Self("null".into())
    }
}

impl IdText {
    /// Null or missing: a notification, which gets no answer.
    #[must_use]
    pub fn is_null(&self) -> bool {
        &*self.0 == "null"
    }

    /// As one of our own numbers; some peers echo them as strings.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.0.trim_matches('"').parse().ok()
    }
}

impl fmt::Display for Id {
    /// As JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.0)
    }
}

/// The error of an answer, from any of the forms in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcError {
    /// Number, 20 if there was none.
    pub code: i64,
    /// Text.
    pub message: String,
}

/// Why a line is not a message.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// Not JSON, or not an object.
    #[error("not a JSON object: {0}")]
    Json(#[from] serde_json::Error),
    /// Neither a request nor an answer.
    #[error("neither a method nor a result")]
    Neither,
}

/// One message.
#[derive(Clone, Debug)]
pub enum Message {
    /// A request or, without an id, a notification.
    Request {
        /// As it came.
        id: Id,
        /// Method name.
        method: String,
        /// Parameters: an empty list when missing. Numbers keep their text.
        params: Box<RawValue>,
    },
    /// An answer.
    Response {
        /// Id of the request that it answers.
        id: Id,
        /// Result, null when missing.
        result: Value,
        /// Error, if there is one.
        error: Option<RpcError>,
    },
}

/// The keys of a line that matter. If a key is repeated, its last value counts, as in
/// `serde_json`'s maps.
#[derive(Default)]
struct Parts {
    id: Id,
    method: Option<String>,
    params: Option<Box<RawValue>>,
    result: Option<Value>,
    error: Option<Value>,
    reject_reason: Option<String>,
}

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Parts;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Parts, A::Error> {
                let mut parts = Parts::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "id" => {
                            let raw: Box<RawValue> = map.next_value()?;
                            parts.id = Id(IdText(raw.get().into()));
                        }
                        "method" => parts.method = map.next_value()?,
                        "params" => parts.params = map.next_value()?,
                        "result" => parts.result = Some(map.next_value()?),
                        "error" => parts.error = Some(map.next_value()?),
                        "reject-reason" => parts.reject_reason = map.next_value()?,
                        _ => drop(map.next_value::<serde::de::IgnoredAny>()?),
                    }
                }
                Ok(parts)
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

impl RpcError {
    /// Stratum's number for anything that has no number of its own.
    pub const OTHER: i64 = 20;

    /// A refusal that came without a number.
    #[must_use]
    pub const fn unnumbered(message: String) -> Self {
        Self { code: Self::OTHER, message }
    }

    fn read(value: &Value) -> Option<Self> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let number = |value: &Value| match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        };
        match value {
            Value::Null | Value::Bool(false) => None,
            Value::Array(parts) => Some(Self {
                code: parts.first().and_then(number).unwrap_or(Self::OTHER),
                message: parts.get(1).map(text).unwrap_or_default(),
            }),
            Value::Object(parts) => Some(Self {
                code: parts.get("code").and_then(number).unwrap_or(Self::OTHER),
                message: parts.get("message").map(text).unwrap_or_default(),
            }),
            other => Some(Self::unnumbered(text(other))),
        }
    }
}

fn no_params() -> Box<RawValue> {
    // an empty list is always valid JSON
    RawValue::from_string("[]".into()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

impl Message {
    /// Reads one line.
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn parse(line: &str) -> Result<Self, MessageError> {
        let parts: Parts = serde_json::from_str(line)?;
        if let Some(method) = parts.method {
            let params = parts.params.filter(|raw| raw.get() != "null").unwrap_or_else(no_params);
            return Ok(Self::Request { id: parts.id, method, params });
        }
        if parts.result.is_none() && parts.error.is_none() {
            return Err(MessageError::Neither);
        }
        let mut error = parts.error.as_ref().and_then(RpcError::read);
        if error.is_none() && parts.result == Some(Value::Bool(false)) {
            error = parts.reject_reason.map(RpcError::unnumbered);
        }
        Ok(Self::Response { id: parts.id, result: parts.result.unwrap_or_default(), error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(line: &str) -> Option<RpcError> {
        match Message::parse(line).unwrap() {
            Message::Response { error, .. } => error,
            Message::Request { .. } => panic!("a request"),
        }
    }

    #[test]
    fn ids_are_echoed_as_they_came() {
        for id in ["1", "\"auth\"", "null", "0", "-7", "1.50", "18446744073709551616", "\"\\u00e9\""] {
            let line = format!("{{\"params\":[],\"id\":{id},\"method\":\"mining.ping\"}}");
            let Message::Request { id: found, .. } = Message::parse(&line).unwrap() else { panic!() };
            assert_eq!(found.to_string(), id);
            assert_eq!(found.0.is_null(), id == "null");
        }
        let Message::Request { id, params, .. } = Message::parse(r#"{"method":"x"}"#).unwrap() else {
            panic!()
        };
        assert_eq!((id, params.get()), (Id::default(), "[]"));
    }

    #[test]
    fn errors_are_read_in_every_form() {
        let expected = |code, message: &str| Some(RpcError { code, message: message.into() });
        assert_eq!(error_of(r#"{"id":1,"result":null,"error":[21,"stale",null]}"#), expected(21, "stale"));
        assert_eq!(error_of(r#"{"id":1,"error":{"code":-3,"message":"no"}}"#), expected(-3, "no"));
        assert_eq!(error_of(r#"{"id":1,"result":null,"error":["22","twice"]}"#), expected(22, "twice"));
        assert_eq!(error_of(r#"{"id":1,"error":"bad"}"#), expected(20, "bad"));
        assert_eq!(
            error_of(r#"{"id":1,"result":false,"error":null,"reject-reason":"low"}"#),
            expected(20, "low")
        );
        assert_eq!(error_of(r#"{"id":1,"result":null,"error":null}"#), None);
    }

    #[test]
    fn nonsense_is_refused() {
        for line in ["", "[]", "1", "{}", "{\"id\":1}", "GET / HTTP/1.1", "{\"method\":1}"] {
            assert!(Message::parse(line).is_err(), "{line}");
        }
        assert!(
            Message::parse(r#"{"id":1,"id":2,"method":"a","method":"b"}"#).is_ok(),
            "keys may come twice"
        );
    }
}
