//! Roots: which ones a member accepts, when they count, and how it fetches their evidence.

use crate::world::*;
use alloy_primitives::B256;
use hashlease_committee::{EpochState, RootView, gather, propose};
use hashlease_evidence::Evidence;
use hashlease_primitives::{
    Commitment, EpochId, EpochRoot, Lease, LeaseId, LocalSigner, SignedEpochRoot, Statement, UnixMillis, Work,
};
use std::collections::{BTreeMap, BTreeSet};
use url::Url;

fn file(lease: &Lease, epoch: u32, shares: usize) -> Evidence {
    evidence(&lease.terms, epoch, &[(&job_in(&lease.terms, epoch, 1), shares)])
}

#[tokio::test]
async fn a_root_that_breaks_a_rule_is_refused_with_its_code_and_not_stored() {
    let world = World::start(1, 1).await;
    let lease = lease(1, 1, 3, 60);
    let terms = &lease.terms;
    world.show(&lease);
    let commitment = file(&lease, 0, 3).head.commitment;
    let url = world.files.url("file");
    let good = root(terms, 0, commitment, &url);
    let refused = async |root: &SignedEpochRoot| world.post_refused("v1/roots", root).await;

    let not_signed = SignedEpochRoot { signature: [0; 65], ..good.clone() };
    assert_eq!(refused(&not_signed).await, (403, "root-signature".into()));
    let mut altered = good.clone();
    altered.root.commitment.count += 1;
    assert_eq!(refused(&altered).await, (403, "root-signature".into()));
    altered = good.clone();
    altered.root.evidence = world.files.url("other");
    assert_eq!(refused(&altered).await, (403, "root-signature".into()));
    let signed_by = |signature| SignedEpochRoot { signature, ..good.clone() };
    let digest = good.root.digest(&terms.oracle_domain());
    let signers = signed_by(job_signer().sign(&digest).unwrap());
    assert_eq!(refused(&signers).await, (403, "root-signature".into()), "the job signer is not the provider");
    let escrows = signed_by(provider().sign(&good.root.digest(&terms.domain)).unwrap());
    assert_eq!(refused(&escrows).await, (403, "root-signature".into()), "signed for the escrow");

    assert_eq!(refused(&root(terms, 1, commitment, &url)).await, (409, "epoch-not-over".into()));
    assert_eq!(refused(&root(terms, 3, commitment, &url)).await, (404, "no-such-epoch".into()));
    assert_eq!(refused(&root(terms, u32::MAX, commitment, &url)).await, (404, "no-such-epoch".into()));
    for (elsewhere, why) in [
        ("file:///etc/hostname", ""),
        ("ftp://127.0.0.1/file", ""),
        ("data:,x", ""),
        ("/file", ": relative URL without a base"),
        ("", ": relative URL without a base"),
        ("http://[::1", ": invalid IPv6 address"),
    ] {
        let root = root(terms, 0, commitment, elsewhere);
        assert_eq!(refused(&root).await, (422, "evidence-url".into()), "{elsewhere}");
        let (_, answer) = world.raw_post("v1/roots", serde_json::to_vec(&root).unwrap()).await;
        let message = format!("evidence URL: expected http or https, got {elsewhere}{why}");
        assert_eq!(answer["message"], message);
    }
    let mut stranger = lease.clone();
    stranger.terms.id = LeaseId(2);
    assert_eq!(refused(&root(&stranger.terms, 0, commitment, &url)).await, (404, "unknown-lease".into()));
    for epoch in [0, 1, 3] {
        assert_eq!(code(world.client(0).root(EpochId::new(terms.id, epoch)).await), "no-root");
    }
    assert_eq!(world.files.hits("file"), 0);
    assert_eq!(world.state(0, terms.id, 0).await, EpochState::Awaited);
    let (status, answer) = world.raw_post("v1/roots", r#"{"root": 1}"#).await;
    assert_eq!((status, answer["code"].as_str()), (422, Some("malformed")));
}

#[tokio::test]
async fn a_root_may_be_signed_by_the_node_key_of_the_epochs_end() {
    let mut world = World::start(1, 1).await;
    let lease = lease(1, 2, 3, 60);
    let terms = &lease.terms;
    let (node, earlier) = (provider_of(1), provider_of(2));
    world.node_keys = BTreeMap::from([(0, earlier.address()), (1, node.address())]);
    world.show(&lease);
    let signed_by = |signer: &LocalSigner, epoch| {
        let good = root(terms, epoch, file(&lease, epoch, 3).head.commitment, &world.files.url("file"));
        let signature = signer.sign(&good.root.digest(&terms.oracle_domain())).unwrap();
        SignedEpochRoot { signature, ..good }
    };
    let refused = (403, "root-signature".to_owned());
    assert_eq!(world.post_refused("v1/roots", &signed_by(&node, 0)).await, refused, "the key came later");
    assert_eq!(
        world.post_refused("v1/roots", &signed_by(&earlier, 1)).await,
        refused,
        "the key was replaced"
    );
    for (signer, epoch) in [(&earlier, 0), (&node, 1)] {
        world.client(0).post_root(&signed_by(signer, epoch)).await.unwrap();
    }
    // the provider's own signature is as good, over the same commitment
    world.client(0).post_root(&signed_by(&provider(), 1)).await.unwrap();
}

#[tokio::test]
async fn the_first_root_of_an_epoch_stands_and_another_is_refused() {
    let world = World::start(1, 1).await;
    let lease = lease(1, 1, 2, 60);
    let terms = &lease.terms;
    world.show(&lease);
    let honest = file(&lease, 0, 5);
    world.files.serve("file", Served::Bytes(honest.encode().unwrap()));
    let url = world.files.url("file");
    let first = root(terms, 0, honest.head.commitment, &url);
    let receipt = world.client(0).post_root(&first).await.unwrap();
    let more = file(&lease, 0, 6);
    let other = root(terms, 0, more.head.commitment, &url);
    assert_eq!(world.post_refused("v1/roots", &other).await, (409, "root-already-received".into()));
    let recounted = Commitment { count: 6, ..honest.head.commitment };
    assert_eq!(
        code(world.client(0).post_root(&root(terms, 0, recounted, &url)).await),
        "root-already-received"
    );
    assert_eq!(world.verified(0, terms.id, 0).await.statement.work, Work::new(40));
    // repeating the same root is no error, and does not undo the verdict
    assert_eq!(world.client(0).post_root(&first).await.unwrap(), receipt);
    assert_eq!(world.state(0, terms.id, 0).await, EpochState::Verified);
    assert_eq!(code(world.client(0).post_root(&other).await), "root-already-received");
    let kept = world.client(0).root(EpochId::new(terms.id, 0)).await.unwrap();
    assert_eq!(kept, RootView { received: receipt.received, in_time: true, root: first });
}

/// Posts the root of epoch 0 with its evidence at `file`, and waits until the member has requested
/// the file twice.
async fn tried_twice(world: &World, lease: &Lease, commitment: Commitment) {
    let signed = root(&lease.terms, 0, commitment, &world.files.url("file"));
    world.client(0).post_root(&signed).await.unwrap();
    until_some("a second attempt", async || (world.files.hits("file") >= 2).then_some(())).await;
    let view = world.view(0, lease.terms.id, 0).await;
    assert_eq!((view.epochs[0].state.clone(), view.pending), (EpochState::Pending, true));
    assert_eq!(view.statement.work, Work::ZERO);
    let claimed = Statement { work: Work::new(40), evidence: chain(&[commitment]), ..view.statement };
    assert_eq!(world.not_signed(0, claimed).await.0, "pending");
}

#[tokio::test]
async fn unfetchable_evidence_stays_pending_until_it_can_be_fetched() {
    let world = World::start(1, 1).await;
    let lease = lease(1, 1, 2, 60);
    world.show(&lease);
    let honest = file(&lease, 0, 5);
    world.files.serve("file", Served::Status(500));
    tried_twice(&world, &lease, honest.head.commitment).await;
    world.files.serve("file", Served::Bytes(honest.encode().unwrap()));
    assert_eq!(world.verified(0, LeaseId(1), 0).await.statement.work, Work::new(40));
}

#[tokio::test]
async fn a_damaged_file_is_fetched_again_until_the_right_one_comes() {
    let world = World::start(1, 1).await;
    let lease = lease(1, 1, 2, 60);
    world.show(&lease);
    let honest = file(&lease, 0, 5);
    let mut damaged = honest.encode().unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    world.files.serve("file", Served::Bytes(damaged));
    tried_twice(&world, &lease, honest.head.commitment).await;
    let cut = honest.encode().unwrap();
    world.files.serve("file", Served::Bytes(cut[..cut.len() - 1].to_vec()));
    let before = world.files.hits("file");
    until_some("a third attempt", async || (world.files.hits("file") > before).then_some(())).await;
    assert_eq!(world.state(0, LeaseId(1), 0).await, EpochState::Pending);
    world.files.serve("file", Served::Bytes(honest.encode().unwrap()));
    assert_eq!(world.verified(0, LeaseId(1), 0).await.statement.work, Work::new(40));
}

#[tokio::test]
async fn evidence_is_fetched_only_from_the_signed_url() {
    let world = World::start(1, 1).await;
    let lease = lease(1, 1, 2, 60);
    world.show(&lease);
    let honest = file(&lease, 0, 5);
    world.files.serve("elsewhere", Served::Bytes(honest.encode().unwrap()));
    world.files.serve("file", Served::Redirect(world.files.url("elsewhere")));
    tried_twice(&world, &lease, honest.head.commitment).await;
    assert_eq!(world.files.hits("elsewhere"), 0, "no redirect is followed");
}

#[tokio::test]
async fn endless_evidence_is_cut_off_a_few_times_and_then_counts_as_empty() {
    let world = World::start(1, 1).await;
    let (endless, long) = (lease(1, 1, 2, 60), lease(2, 1, 2, 60));
    world.show(&endless);
    world.show(&long);
    world.files.serve("endless", Served::Endless);
    let limit = usize::try_from(MAX_EVIDENCE).unwrap();
    world.files.serve("long", Served::Bytes(vec![0; limit + 1]));
    for (lease, name) in [(&endless, "endless"), (&long, "long")] {
        let signed = root(&lease.terms, 0, file(lease, 0, 5).head.commitment, &world.files.url(name));
        world.client(0).post_root(&signed).await.unwrap();
    }
    for (lease, name) in [(&endless, "endless"), (&long, "long")] {
        let given_up = async || match world.state(0, lease.terms.id, 0).await {
            EpochState::NotFetched { code, reason } => Some((code, reason)),
            EpochState::Pending => None,
            other => panic!("{other:?}"),
        };
        let (code, reason) = until_some("a verdict", given_up).await;
        assert_eq!(code, "evidence-too-long");
        assert!(reason.starts_with(&format!("evidence is longer than {MAX_EVIDENCE} bytes")), "{reason}");
        assert_eq!(world.files.hits(name), 4);
        let own = world.view(0, lease.terms.id, 0).await.statement;
        assert_eq!((own.work, own.evidence), (Work::ZERO, chain(&[EMPTY])));
        world.client(0).sign(&[own]).await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_held_against_the_right_file() {
    let world = World::start(1, 1).await;
    let lease = lease(1, 1, 2, 60);
    world.show(&lease);
    let honest = file(&lease, 0, 5);
    let limit = usize::try_from(MAX_EVIDENCE).unwrap();
    world.files.serve("file", Served::Bytes(vec![0; limit + 1]));
    tried_twice(&world, &lease, honest.head.commitment).await;
    world.files.serve("file", Served::Bytes(honest.encode().unwrap()));
    assert_eq!(world.verified(0, LeaseId(1), 0).await.statement.work, Work::new(40));
}

/// A lease of one epoch whose root can only arrive late, and other members that can be asked.
struct Late {
    world: World,
    lease: Lease,
    peers: Vec<Peer>,
    file: Evidence,
    root: SignedEpochRoot,
}

impl Late {
    async fn start(peers: usize, threshold: usize) -> Self {
        let world = World::start(1, threshold).await;
        let lease = lease(1, 1, 1, 1_000);
        let mut others = Vec::new();
        for _ in 0..peers {
            others.push(Peer::start().await);
        }
        let file = file(&lease, 0, 5);
        world.files.serve("file", Served::Bytes(file.encode().unwrap()));
        let root = root(&lease.terms, 0, file.head.commitment, &world.files.url("file"));
        let late = Self { world, lease, peers: others, file, root };
        late.show(&late.lease, threshold);
        late
    }

    fn show(&self, lease: &Lease, threshold: usize) {
        let mut members: Vec<Url> = self.peers.iter().map(|peer| peer.url.clone()).collect();
        members.push(self.world.client(0).url().clone());
        self.world.show_among(lease, members, threshold);
    }

    fn heard(&self, in_time: bool) -> RootView {
        RootView { received: UnixMillis::new((now() - 900) * 1_000), in_time, root: self.root.clone() }
    }

    async fn post(&self) {
        let receipt = self.world.client(0).post_root(&self.root).await.unwrap();
        assert!(!receipt.in_time, "{receipt:?}");
    }

    /// Waits until every peer was asked twice: one round of questions is over then.
    async fn asked(&self) {
        until_some("questions to the peers", async || {
            self.peers.iter().all(|peer| peer.asked() >= 2).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_late_root_counts_as_empty() {
    let late = Late::start(1, 1).await;
    late.post().await;
    late.asked().await;
    let world = &late.world;
    let view = world.view(0, LeaseId(1), 0).await;
    assert_eq!((view.epochs[0].state.clone(), view.epochs[0].count), (EpochState::Late, 0));
    assert_eq!((view.statement.work, view.statement.evidence), (Work::ZERO, chain(&[EMPTY])));
    assert!(view.statement.last && !view.pending);
    let claimed =
        Statement { work: Work::new(40), evidence: chain(&[late.file.head.commitment]), ..view.statement };
    assert_eq!(world.not_signed(0, claimed).await.0, "evidence-differs");
    world.client(0).sign(&[view.statement]).await.unwrap();
    assert!(!world.client(0).root(EpochId::new(LeaseId(1), 0)).await.unwrap().in_time);

    // keys that do not count for the late lease are not withheld from another lease
    let second = lease(2, 1, 1, 60);
    world.show(&second);
    let again = same_job_for(&second.terms, &late.file.head.jobs[0]);
    let file = evidence(&second.terms, 0, &[(&again, 5)]);
    assert_eq!(file.head.commitment, late.file.head.commitment, "the very same headers");
    world.deliver(&second.terms, &file).await;
    assert_eq!(world.verified(0, LeaseId(2), 0).await.statement.work, Work::new(40));
}

#[tokio::test]
async fn a_late_root_counts_when_enough_members_had_it_in_time() {
    let late = Late::start(2, 2).await;
    for peer in &late.peers {
        peer.says(late.heard(true));
    }
    late.post().await;
    let world = &late.world;
    let view = world.verified(0, LeaseId(1), 0).await;
    assert_eq!((view.epochs[0].count, view.statement.work), (5, Work::new(40)));
    assert_eq!(view.statement.evidence, chain(&[late.file.head.commitment]));
    assert!(view.statement.last, "both the end and the deadline are past");
    assert!(
        !world.client(0).root(EpochId::new(LeaseId(1), 0)).await.unwrap().in_time,
        "this member's own observation stays"
    );
    let statement = propose(&[view], 1).unwrap();
    gather(&world.seats(), &[statement], &late.lease.terms.oracle_domain(), 1).await.unwrap();
}

#[tokio::test]
async fn a_late_root_that_counts_still_counts_after_a_restart() {
    let mut late = Late::start(2, 2).await;
    for peer in &late.peers {
        peer.says(late.heard(true));
    }
    late.post().await;
    late.world.verified(0, LeaseId(1), 0).await;
    let asked = late.peers[0].asked();
    late.world.restart(0).await;
    assert_eq!(late.world.view(0, LeaseId(1), 0).await.statement.work, Work::new(40));
    assert_eq!(late.peers[0].asked(), asked);
}

#[tokio::test]
async fn connections_to_other_members_are_reused() {
    let late = Late::start(1, 1).await;
    late.post().await;
    let peer = &late.peers[0];
    until_some("questions to the peer", async || (peer.asked() >= 3).then_some(())).await;
    let connections: BTreeSet<_> = peer.questions().iter().map(|question| question.from).collect();
    assert_eq!(connections.len(), 1, "{connections:?}");
}

#[tokio::test]
async fn many_late_roots_of_one_provider_do_not_delay_questions_about_others() {
    let late = Late::start(1, 1).await;
    let peer = &late.peers[0];
    peer.hangs();
    let post = async |id, seller| {
        let mut lease = lease(id, 1, 1, 1_000);
        lease.terms.provider = provider_of(seller).address();
        late.show(&lease, 1);
        let signed = root(&lease.terms, 0, EMPTY, &late.world.files.url("none"));
        assert!(!late.world.client(0).post_root(&signed).await.unwrap().in_time);
    };
    for id in 2..14 {
        post(id, 1).await;
    }
    post(14, 2).await;
    let asked = async || {
        let leases: Vec<u64> = peer.questions().iter().map(|question| question.lease).collect();
        leases.contains(&14).then_some(leases)
    };
    let asked = until_some("a question about the other's root", asked).await;
    assert_eq!(asked.iter().filter(|lease| **lease < 14).count(), 1, "{asked:?}");
}

#[tokio::test]
async fn a_late_root_that_too_few_members_had_in_time_does_not_count() {
    let late = Late::start(4, 2).await;
    let mut other = late.heard(true);
    other.root.root.commitment.root = B256::repeat_byte(6);
    let mut more = late.heard(true);
    more.root.root.commitment.count += 1;
    late.peers[0].says(late.heard(true));
    late.peers[1].says(late.heard(false));
    late.peers[2].says(other);
    late.peers[3].says(more);
    late.post().await;
    late.asked().await;
    let world = &late.world;
    assert_eq!(world.state(0, LeaseId(1), 0).await, EpochState::Late);
    assert_eq!(world.files.hits("file"), 0, "no member needs the file of a late root");
    // a peer that did not answer before
    late.peers[2].says(late.heard(true));
    assert_eq!(world.verified(0, LeaseId(1), 0).await.statement.work, Work::new(40));
}

#[tokio::test]
async fn a_root_under_check_holds_the_last_word_back_until_half_the_window_has_passed() {
    // the epoch ended 1,000 s ago; half the window is 1,200 s at first, then 900 s
    let mut late = Late::start(1, 1).await;
    late.lease.window = 2_400;
    late.show(&late.lease, 1);
    late.world.files.serve("file", Served::Status(500));
    late.peers[0].says(late.heard(true));
    late.post().await;
    let world = &late.world;
    until_some("a first attempt", async || (world.files.hits("file") > 0).then_some(())).await;
    let view = world.view(0, LeaseId(1), 0).await;
    assert_eq!((view.epochs[0].state.clone(), view.pending), (EpochState::Pending, true));
    assert!(!view.statement.last);
    let last = Statement { last: true, ..view.statement };
    assert_eq!(world.not_signed(0, view.statement).await.0, "pending");
    assert_eq!(world.not_signed(0, last).await.0, "pending");
    assert_eq!(propose(&[view], 1), None);

    late.lease.window = 1_800;
    late.show(&late.lease, 1);
    let view = world.view(0, LeaseId(1), 0).await;
    assert!(view.pending && view.statement.last);
    assert_eq!(propose(std::slice::from_ref(&view), 1), Some(view.statement));
    world.client(0).sign(&[view.statement]).await.unwrap();
    // an epoch verified afterwards counts again
    world.files.serve("file", Served::Bytes(late.file.encode().unwrap()));
    assert_eq!(world.verified(0, LeaseId(1), 0).await.statement.work, Work::new(40));
}

#[tokio::test]
async fn a_root_of_another_lease_cannot_be_passed_off() {
    let world = World::start(1, 1).await;
    let (first, second) = (lease(1, 1, 2, 60), lease(2, 1, 2, 60));
    world.show(&first);
    world.show(&second);
    let signed = root(&first.terms, 0, file(&first, 0, 2).head.commitment, &world.files.url("file"));
    let passed = EpochRoot { id: EpochId::new(LeaseId(2), signed.root.id.epoch), ..signed.root.clone() };
    let passed = SignedEpochRoot { root: passed, ..signed };
    assert_eq!(code(world.client(0).post_root(&passed).await), "root-signature");
}

#[tokio::test]
async fn a_root_has_no_more_shares_than_its_epoch_may_have() {
    let world = World::start(1, 1).await;
    let lease = lease(1, 1, 2, 60);
    world.show(&lease);
    let terms = &lease.terms;
    let of = |count| {
        let commitment = Commitment { root: B256::repeat_byte(1), count };
        root(terms, 0, commitment, &world.files.url("file"))
    };
    let most = terms.most_shares();
    for count in [most + 1, u64::MAX] {
        let refused = world.client(0).post_root(&of(count)).await;
        assert_eq!(code(refused), "root-count");
    }
    world.client(0).post_root(&of(most)).await.unwrap();
}
