//! The two boxes that a renter publishes with a lease, sealed with libsodium's `crypto_box_seal`
//! (X25519, XSalsa20-Poly1305), at most 512 bytes each.

use crypto_box::{PublicKey, SecretKey, aead::OsRng};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest box that the escrow takes, bytes.
pub const MAX_BOX: usize = 512;

/// The line by which a renter has jobs held back while work is claimed that her gateway never saw.
const STOP_UNSEEN: &str = "stop-unseen";

/// Why sealing or opening a box failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoxError {
    /// Too long for the escrow.
    #[error("box is {0} bytes long: expected at most {MAX_BOX}")]
    TooLong(usize),
    /// Not sealed to this key, or damaged.
    #[error("box can't be opened with this key: sealed to another key, or damaged")]
    CannotOpen,
    /// Opened, but its content is no text.
    #[error("box has unexpected content: not UTF-8")]
    NotText,
    /// Opened, but its content has another number of lines.
    #[error("box has unexpected content: expected {expected} lines, got {actual}")]
    Lines {
        /// Of such a box.
        expected: usize,
        /// Of this one.
        actual: usize,
    },
    /// Opened, but its last line is none that a gateway knows.
    #[error("box has unexpected content: expected {STOP_UNSEEN:?} or nothing as the last line")]
    UnknownOption,
    /// The content can't be sealed to this key.
    #[error("box can't be sealed to this key")]
    CannotSeal,
    /// The key is not 32 bytes of hex.
    #[error("X25519 key: expected 64 hexadecimal digits")]
    Key,
}

/// A value that never reaches a log: `Debug` prints a placeholder.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The secret itself, for the wire.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// For the node: address of the gateway, and the token it expects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeBox {
    /// Address of the gateway, `host:port`.
    pub gateway: String,
    /// Access token that the gateway expects as the password.
    pub token: Secret,
}

/// For the gateway: the renter's pool, and the token that the node has to present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayBox {
    /// Address of the pool, `host:port` or `stratum+tcp://host:port`.
    pub pool: String,
    /// The renter's worker at the pool.
    pub worker: String,
    /// Its password.
    pub password: Secret,
    /// Access token of the node.
    pub token: Secret,
    /// Whether the gateway holds jobs back while the provider claims work that it never saw.
    #[serde(default)]
    pub stop_unseen: bool,
}

/// An X25519 key pair of a node or a gateway.
#[derive(Clone)]
pub struct NodeKey(SecretKey);

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({})", hex::encode(self.public()))
    }
}

impl NodeKey {
    /// A fresh key.
    #[must_use]
    pub fn generate() -> Self {
        Self(SecretKey::generate(&mut OsRng))
    }

    /// Reads a secret key from 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`BoxError::Key`] for anything else; the text is not repeated.
    pub fn from_hex(text: &str) -> Result<Self, BoxError> {
        let text = text.trim();
        let bytes = hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|_| BoxError::Key)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| BoxError::Key)?;
        Ok(Self(SecretKey::from(bytes)))
    }

    /// The secret as 64 hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> Secret {
        Secret::new(hex::encode(self.0.to_bytes()))
    }

    /// The public key, 32 bytes.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        *self.0.public_key().as_bytes()
    }

    /// Opens a box that was sealed to this key.
    ///
    /// # Errors
    /// [`BoxError`] when the box is sealed to another key or has other content.
    pub fn open<T: BoxContent>(&self, sealed: &[u8]) -> Result<T, BoxError> {
        let plain = self.0.unseal(sealed).map_err(|_| BoxError::CannotOpen)?;
        T::decode(&plain)
    }
}

/// The content of a box.
pub trait BoxContent: Sized {
    /// Reads the plain text.
    ///
    /// # Errors
    /// [`BoxError::NotText`] or [`BoxError::Lines`].
    fn decode(plain: &[u8]) -> Result<Self, BoxError>;
    /// Writes the plain text.
    fn encode(&self) -> Vec<u8>;

    /// Seals to an X25519 public key.
    ///
    /// # Errors
    /// [`BoxError::TooLong`] when the escrow would refuse it, or [`BoxError::CannotSeal`].
    fn seal(&self, to: &[u8; 32]) -> Result<Vec<u8>, BoxError> {
        let sealed =
            PublicKey::from(*to).seal(&mut OsRng, &self.encode()).map_err(|_| BoxError::CannotSeal)?;
        if sealed.len() > MAX_BOX {
            return Err(BoxError::TooLong(sealed.len()));
        }
        Ok(sealed)
    }
}

fn lines<const N: usize>(plain: &[u8]) -> Result<[String; N], BoxError> {
    let text = std::str::from_utf8(plain).map_err(|_| BoxError::NotText)?;
    let found: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let actual = found.len();
    found.try_into().map_err(|_| BoxError::Lines { expected: N, actual })
}

// The plain text has one value per line, in the order of the fields: short, and no parser can
// misread it.
impl BoxContent for NodeBox {
    fn decode(plain: &[u8]) -> Result<Self, BoxError> {
        let [gateway, token] = lines(plain)?;
        Ok(Self { gateway, token: Secret::new(token) })
    }

    fn encode(&self) -> Vec<u8> {
        [self.gateway.as_str(), self.token.reveal()].join("\n").into_bytes()
    }
}

impl BoxContent for GatewayBox {
    fn decode(plain: &[u8]) -> Result<Self, BoxError> {
        let (plain, stop_unseen) = match lines::<5>(plain) {
            Ok([.., last]) if last == STOP_UNSEEN => {
                let option = STOP_UNSEEN.len().saturating_add(1);
                (plain.get(..plain.len().saturating_sub(option)).unwrap_or_default(), true)
            }
            Ok(_) => return Err(BoxError::UnknownOption),
            Err(_) => (plain, false),
        };
        let [pool, worker, password, token] = lines(plain)?;
        Ok(Self { pool, worker, password: Secret::new(password), token: Secret::new(token), stop_unseen })
    }

    fn encode(&self) -> Vec<u8> {
        let mut lines = vec![self.pool.as_str(), &self.worker, self.password.reveal(), self.token.reveal()];
        lines.extend(self.stop_unseen.then_some(STOP_UNSEEN));
        lines.join("\n").into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> GatewayBox {
        GatewayBox {
            pool: "pool.example:3333".into(),
            worker: "renter.1".into(),
            password: Secret::new("x"),
            token: Secret::new("door"),
            stop_unseen: false,
        }
    }

    #[test]
    fn a_gateways_box_may_have_one_more_line() {
        let stops = GatewayBox { stop_unseen: true, ..content() };
        for content in [content(), stops.clone()] {
            assert_eq!(GatewayBox::decode(&content.encode()), Ok(content));
        }
        assert_eq!(content().encode(), b"pool.example:3333\nrenter.1\nx\ndoor", "as boxes always were");
        let unknown = [content().encode(), b"\nstop".to_vec()].concat();
        assert_eq!(GatewayBox::decode(&unknown), Err(BoxError::UnknownOption));
        let more = [stops.encode(), b"\nmore".to_vec()].concat();
        assert!(matches!(GatewayBox::decode(&more), Err(BoxError::Lines { actual: 6, .. })));
    }

    #[test]
    fn a_sealed_box_opens_with_its_key_only() {
        let key = NodeKey::generate();
        let sealed = content().seal(&key.public()).unwrap();
        assert_eq!(key.open::<GatewayBox>(&sealed).unwrap(), content());
        assert_eq!(NodeKey::generate().open::<GatewayBox>(&sealed), Err(BoxError::CannotOpen));
        let mut damaged = sealed;
        damaged[40] ^= 1;
        assert_eq!(key.open::<GatewayBox>(&damaged), Err(BoxError::CannotOpen));
    }

    #[test]
    fn a_box_of_another_kind_is_refused() {
        let key = NodeKey::generate();
        let sealed = content().seal(&key.public()).unwrap();
        assert!(matches!(key.open::<NodeBox>(&sealed), Err(BoxError::Lines { expected: 2, actual: 4 })));
    }

    #[test]
    fn a_box_too_long_for_the_escrow_is_refused() {
        let long = GatewayBox { worker: "w".repeat(600), ..content() };
        assert!(matches!(long.seal(&NodeKey::generate().public()), Err(BoxError::TooLong(_))));
    }

    #[test]
    fn secrets_do_not_reach_debug_output() {
        let key = NodeKey::generate();
        let text = format!("{:?} {key:?}", content());
        assert!(!text.contains("door"));
        assert!(!text.contains(key.to_hex().reveal()));
    }
}
