//! What closing epochs and settling leases share.

use crate::book::Book;
use hashlease_chain::{Chain, Committee, Committees, Sender};
use hashlease_committee::{MemberClient, Seat};
use hashlease_primitives::LocalSigner;

/// Journal, chain, committee and keys of a provider.
pub(crate) struct Work {
    pub(crate) book: Book,
    pub(crate) chain: Chain,
    pub(crate) committees: Committees,
    pub(crate) sender: Sender,
    pub(crate) provider: LocalSigner,
    /// Where the evidence of a lease's epoch is served.
    pub(crate) evidence_url: Box<dyn Fn(u64, u32) -> String + Send + Sync>,
}

/// Members that can be asked.
pub(crate) fn seats(committee: &Committee) -> Vec<Seat> {
    let with_url = committee.members.iter().filter_map(|member| Some((member, member.url.clone()?)));
    with_url
        .map(|(member, url)| Seat { index: member.index, key: member.key, client: MemberClient::new(url) })
        .collect()
}
