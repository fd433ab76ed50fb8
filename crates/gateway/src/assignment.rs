//! A lease as it is assigned to the gateway.

use alloy_primitives::Address;
use hashlease_primitives::{GatewayBox, Terms};
use url::Url;

/// A lease whose jobs this gateway signs.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The lease's terms.
    pub terms: Terms,
    /// The renter's pool, and the access token of the node.
    pub pool: GatewayBox,
    /// APIs of the committee's members.
    pub members: Vec<Url>,
    /// The account that may have jobs signed again that are held back, if it is known.
    pub controller: Option<Address>,
}
