//! Where a lease's jobs come from.

use hashlease_primitives::NodeBox;
use url::Url;

/// The gateway and the members of a lease. Changes during the lease.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LinkTarget {
    /// Where the gateway is, and the access token; none while the box on the chain can't be opened.
    pub(crate) node_box: Option<NodeBox>,
    /// APIs of the members.
    pub(crate) members: Vec<Url>,
    /// How many of them sign a statement.
    pub(crate) threshold: usize,
}
