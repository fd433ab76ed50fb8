//! Stratum V1 for SHA-256d and scrypt: JSON-RPC in lines, `mining.*` methods, jobs of headers.

pub mod encode;
mod error_number;
mod pool_notice;
mod read_request;

pub use error_number::error_number;
pub(crate) use pool_notice::extranonce;
pub use pool_notice::{NoticeError, PoolNotice};

use super::{
    Answer, Dialect, Event, MinerRequest, Received, Rejection,
    json_rpc::{Id, Message, MessageError},
};
use serde_json::{Map, Value, json};

/// Version bits that BIP 320 leaves to miners.
pub const BIP320_MASK: u32 = 0x1fff_e000;

/// Stratum V1 for jobs of the kind [`Header`](hashlease_primitives::JobKind::Header).
#[derive(Clone, Copy, Debug, Default)]
pub struct V1;

impl Dialect for V1 {
    fn read(&self, line: &str) -> Result<Received, MessageError> {
        let (id, method, params) = match Message::parse(line)? {
            Message::Request { id, method, params } => (id, method, params),
            Message::Response { .. } => return Ok(Received::Ignored),
        };
        Ok(match MinerRequest::read(&method, &params) {
            Ok(request) => Received::Request { id, request },
            Err(error) => Received::Unreadable { id, is_share: method == "mining.submit", error },
        })
    }

    fn answer(&self, id: &Id, answer: &Answer) -> String {
        match answer {
            Answer::Accepted => encode::result(id, json!(true)),
            Answer::Subscribed { session, extranonce1, extranonce2_size } => {
                encode::subscribed(id, session, extranonce1, *extranonce2_size)
            }
            Answer::Configured { version_mask, others } => {
                let mut result: Map<String, Value> =
                    others.iter().map(|(name, supported)| (name.clone(), json!(supported))).collect();
                if let Some(mask) = version_mask {
                    result.insert("version-rolling".into(), json!(true));
                    result.insert("version-rolling.mask".into(), json!(format!("{mask:08x}")));
                }
                encode::result(id, result.into())
            }
            Answer::Pong => encode::result(id, json!("pong")),
            Answer::EmptyList => encode::result(id, json!([])),
            Answer::Rejected(Rejection::Named(code)) => encode::error(id, error_number(code), code),
            Answer::Rejected(Rejection::OfPool { number, message }) => encode::error(id, *number, message),
        }
    }

    fn event(&self, event: Event<'_>) -> String {
        match event {
            Event::Extranonce { extranonce1, extranonce2_size } => {
                encode::set_extranonce(extranonce1, extranonce2_size)
            }
            Event::VersionMask(mask) => encode::set_version_mask(mask),
            Event::Target(target, base) => encode::set_difficulty(target, base),
            Event::HeaderJob(notify) => encode::notify(notify),
            Event::SignedJob { job_id, signed, pool_target } => {
                encode::hashlease_job(job_id, signed, pool_target)
            }
            Event::Message(text) => encode::show_message(text),
            Event::Reconnect => encode::reconnect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_requests_unreadable_requests_or_ignored() {
        let read = |line: &str| V1.read(line).unwrap();
        let Received::Request { id, request } = read(r#"{"id":"a","method":"mining.ping","params":[]}"#)
        else {
            panic!("a ping is a request")
        };
        assert_eq!((id.to_string().as_str(), request), ("\"a\"", MinerRequest::Ping));
        for (method, share) in [("mining.submit", true), ("mining.authorize", false)] {
            let line = format!("{{\"id\":7,\"method\":\"{method}\",\"params\":[]}}");
            let Received::Unreadable { id, is_share, error } = read(&line) else { panic!("{line}") };
            assert_eq!((id.to_string().as_str(), is_share, error.method), ("7", share, method));
        }
        assert_eq!(read(r#"{"id":7,"result":true,"error":null}"#), Received::Ignored);
        assert!(V1.read("GET / HTTP/1.1").is_err());
    }

    #[test]
    fn answers_have_the_id_of_their_request() {
        let Message::Request { id, .. } = Message::parse(r#"{"id":"x","method":"mining.ping"}"#).unwrap()
        else {
            panic!("a request")
        };
        let rejection = Rejection::named("unknown-job");
        let others = vec![("subscribe-extranonce".to_owned(), true)];
        for (answer, expected) in [
            (Answer::Accepted, json!({"id": "x", "result": true, "error": null})),
            (Answer::Pong, json!({"id": "x", "result": "pong", "error": null})),
            (Answer::EmptyList, json!({"id": "x", "result": [], "error": null})),
            (
                Answer::Rejected(rejection),
                json!({"id": "x", "result": null, "error": [21, "unknown-job", null]}),
            ),
            (
                Answer::Configured { version_mask: Some(BIP320_MASK), others },
                json!({
                    "id": "x",
                    "result": {
                        "subscribe-extranonce": true,
                        "version-rolling": true,
                        "version-rolling.mask": "1fffe000",
                    },
                    "error": null,
                }),
            ),
        ] {
            let line = V1.answer(&id, &answer);
            assert!(line.ends_with('\n'));
            assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
        }
    }
}
