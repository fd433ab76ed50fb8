//! Invalid evidence of every kind that matters, and work sold twice.

use crate::world::*;
use hashlease_check::{EthashEpoch, LightCache};
use hashlease_evidence::Evidence;
use hashlease_fixtures::{ethash_job, mine, verified};
use hashlease_primitives::{
    Algorithm, Commitment, EthashJob, HashRate, Lease, LeaseId, SettlementWeight, SignedEpochRoot, Statement,
    Work,
};
use std::sync::Arc;

fn honest(lease: &Lease) -> Evidence {
    let terms = &lease.terms;
    evidence(terms, 1, &[(&job_in(terms, 1, 1), 6), (&job_in(terms, 1, 2), 6)])
}

/// Gives a member the file for epoch 1 of lease 1 while the provider signs `claim`. The member must
/// refuse the file, count the epoch as empty and sign no other figures. Returns its reason.
async fn refusal(lease: &Lease, file: &Evidence, claim: Commitment) -> String {
    let world = World::start(1, 1).await;
    world.show(lease);
    let terms = &lease.terms;
    world.files.serve("file", Served::Bytes(file.encode().unwrap()));
    let signed: SignedEpochRoot = root(terms, 1, claim, &world.files.url("file"));
    world.client(0).post_root(&signed).await.unwrap();
    let reason = world.refused(0, terms.id, 1).await;
    assert_eq!(world.files.hits("file"), 1, "the file was fetched again in spite of a verdict");

    let own = world.view(0, terms.id, 1).await;
    assert_eq!((own.epochs[1].count, own.epochs[1].root, own.pending), (0, EMPTY.root, false));
    assert_eq!((own.statement.work, own.statement.evidence), (Work::ZERO, chain(&[EMPTY, EMPTY])));
    let claimed = Statement {
        work: Work::capped(u128::from(claim.count) * 8),
        evidence: chain(&[EMPTY, claim]),
        ..own.statement
    };
    let (code, message) = world.not_signed(0, claimed).await;
    assert_eq!(code, "evidence-differs");
    assert!(message.contains(&format!("epoch 1 was refused: {reason}")), "{message}");
    let work = Statement { work: Work::new(8), ..own.statement };
    assert_eq!(world.not_signed(0, work).await.0, "work-above-verified");
    world.client(0).sign(&[own.statement]).await.unwrap();
    reason
}

/// [`refusal`] of a tampered honest file, with a claim that fits the tampered file.
async fn refusal_of(forge: impl FnOnce(&mut Evidence)) -> String {
    let lease = lease(1, 2, 3, 60);
    let mut file = honest(&lease);
    forge(&mut file);
    let claim = file.head.commitment;
    refusal(&lease, &file, claim).await
}

fn ends_with(reason: &str, code: &str) {
    assert!(reason.ends_with(&format!("({code})")), "expected {code}, got: {reason}");
}

#[tokio::test]
async fn a_share_without_work_is_refused() {
    let reason = refusal_of(|file| {
        // the nonce of a header next to a good one: 7 of 8 miss the target, and the loop keeps the
        // last one
        let honest = file.clone();
        for step in 1..1_000 {
            *file = honest.clone();
            file.shares[0].share.header_mut().unwrap().nonce += step;
            recommit(file);
            if file.recheck().refused == 1 && file.head.commitment.count == honest.head.commitment.count {
                break;
            }
        }
    });
    ends_with(&reason.await, "above-target");
}

#[tokio::test]
async fn a_repeated_share_is_refused() {
    let reason = refusal_of(|file| {
        let again = file.shares[3].clone();
        file.shares.insert(4, again);
        file.head.commitment.count += 1;
    });
    ends_with(&reason.await, "duplicate");
    // also when the claim counts the share only once
    let reason = refusal_of(|file| {
        let again = file.shares[0].clone();
        file.shares.insert(1, again);
    });
    ends_with(&reason.await, "share-count");
    // a share repeated in another place is refused too
    let reason = refusal_of(|file| {
        let again = file.shares[0].clone();
        file.shares.push(again);
        file.head.commitment.count += 1;
    });
    ends_with(&reason.await, "out-of-order");
}

#[tokio::test]
async fn a_share_of_an_unknown_job_is_refused() {
    ends_with(&refusal_of(|file| file.shares[0].job = 77).await, "unknown-job");
    let reason = refusal_of(|file| {
        file.head.jobs.remove(0);
    });
    ends_with(&reason.await, "unknown-job");
}

#[tokio::test]
async fn shares_of_a_job_that_its_signer_did_not_sign_are_refused() {
    let reason = refusal_of(|file| file.head.jobs[0].signature[10] ^= 1);
    ends_with(&reason.await, "job-signature");
    ends_with(&refusal_of(|file| file.head.jobs[1].signature = [0; 65]).await, "job-unsigned");
    // the provider's own template, signed by the provider
    let reason = refusal_of(|file| {
        file.head.jobs[0] =
            sign_with(&provider(), &file.head.terms.domain, file.head.jobs[0].job.header().unwrap().clone());
    });
    ends_with(&reason.await, "job-signature");
    // a longer window than the signed one
    let reason = refusal_of(|file| {
        file.head.jobs[0].job.header_mut().unwrap().not_before += 1;
        recommit(file);
    });
    ends_with(&reason.await, "job-signature");
}

#[tokio::test]
async fn a_job_that_nobody_could_open_on_the_chain_is_refused() {
    let reason = refusal_of(|file| {
        let mut job = file.head.jobs[0].job.header().unwrap().clone();
        job.not_before = job.not_after - 601;
        file.head.jobs[0] = sign(&file.head.terms, job);
    });
    ends_with(&reason.await, "job-window");
}

#[tokio::test]
async fn an_ntime_outside_its_jobs_window_is_refused() {
    // the work is real: only the job's window excludes it
    let reason = refusal_of(|file| {
        let mut job = file.head.jobs[0].job.header().unwrap().clone();
        job.not_after -= 1;
        file.head.jobs[0] = sign(&file.head.terms, job);
    });
    ends_with(&reason.await, "ntime-too-late");
    let reason = refusal_of(|file| {
        let mut job = file.head.jobs[0].job.header().unwrap().clone();
        job.not_before = job.not_after + 1;
        job.not_after += 10;
        file.head.jobs[0] = sign(&file.head.terms, job);
    });
    ends_with(&reason.await, "ntime-too-early");
}

#[tokio::test]
async fn a_version_bit_outside_the_mask_is_refused() {
    // hashed with this version: only the mask forbids it
    let reason = refusal_of(|file| {
        for step in 0..1_000 {
            file.shares[0].share.header_mut().unwrap().version = 0x4000_0000;
            file.shares[0].share.header_mut().unwrap().nonce = step;
            recommit(file);
            let mut lax = file.clone();
            for signed in &mut lax.head.jobs {
                let mut job = signed.job.header().unwrap().clone();
                job.version_mask = u32::MAX;
                *signed = sign(&lax.head.terms, job);
            }
            if lax.recheck().holds() {
                break;
            }
        }
    });
    ends_with(&reason.await, "version-outside-mask");
}

#[tokio::test]
async fn an_extranonce_of_another_length_is_refused() {
    let reason = refusal_of(|file| file.shares[0].share.header_mut().unwrap().tail.push(0));
    ends_with(&reason.await, "extranonce-length");
}

#[tokio::test]
async fn a_claim_that_differs_from_the_shares_is_refused() {
    let reason = refusal_of(|file| {
        file.shares.pop();
        file.head.commitment.count -= 1;
    });
    ends_with(&reason.await, "root-differs");
    let reason = refusal_of(|file| file.head.commitment.root.0[31] ^= 1).await;
    assert!(reason.starts_with("root and count: claimed"), "{reason}");
    ends_with(&reason, "root-differs");
}

#[tokio::test]
async fn a_file_with_more_or_fewer_shares_than_were_signed_is_refused_before_any_is_hashed() {
    // a share that would itself be refused if the member looked at it
    let reason = refusal_of(|file| {
        file.shares[0].job = 77;
        file.head.commitment.count = 1;
    });
    let reason = reason.await;
    assert_eq!(reason, "evidence has 12 shares: the provider signed 1 (share-count)");
    let reason = refusal_of(|file| {
        file.shares.pop();
    });
    ends_with(&reason.await, "share-count");
    ends_with(&refusal_of(|file| file.head.commitment.count += 1).await, "share-count");
}

#[tokio::test]
async fn a_file_whose_root_is_not_the_one_that_was_signed_is_refused() {
    let lease = lease(1, 2, 3, 60);
    let file = honest(&lease);
    let terms = &lease.terms;
    let other = evidence(terms, 1, &[(&job_in(terms, 1, 1), 12)]).head.commitment;
    let reason = refusal(&lease, &file, other).await;
    assert!(reason.contains(&format!("the provider signed epoch 1 with root {}", other.root)), "{reason}");
    let more = Commitment { count: 13, ..file.head.commitment };
    let reason = refusal(&lease, &file, more).await;
    assert!(reason.starts_with("evidence is of epoch 1 with root"), "{reason}");
}

#[tokio::test]
async fn evidence_of_another_epoch_is_refused() {
    let lease = lease(1, 2, 3, 60);
    let terms = &lease.terms;
    let mut file = evidence(terms, 0, &[(&job_in(terms, 0, 1), 6)]);
    let reason = refusal(&lease, &file, file.head.commitment).await;
    assert!(reason.starts_with("evidence is of epoch 0"), "{reason}");
    // shares of one epoch, labelled with the number of another
    file.head.epoch = 1;
    ends_with(&refusal(&lease, &file, file.head.commitment).await, "other-epoch");
}

#[tokio::test]
async fn evidence_of_other_terms_is_refused() {
    let refused = async |change: fn(&mut Evidence), term: &str| {
        let reason = refusal_of(change).await;
        assert!(reason.starts_with(&format!("evidence is of other terms: {term}: expected")), "{reason}");
    };
    refused(|file| file.head.terms.provider = job_signer().address(), "provider").await;
    refused(|file| file.head.terms.weight = SettlementWeight::from_log2(2).unwrap(), "weight").await;
    refused(|file| file.head.terms.job_signer = provider().address(), "job signer").await;
    refused(|file| file.head.terms.rate = HashRate::new(1_000), "rate").await;
    refused(|file| file.head.terms.start -= 1, "start").await;
    refused(|file| file.head.terms.epoch_length *= 2, "epoch length").await;
    refused(|file| file.head.terms.id = LeaseId(2), "lease").await;
    refused(|file| file.head.terms.domain.chain_id = 1, "chain id").await;
}

#[tokio::test]
async fn shares_easier_than_the_lease_says_are_refused() {
    // mined at half the weight, under terms that name the whole weight
    let lease = lease(1, 2, 3, 60);
    let mut easy = lease.clone();
    easy.terms.weight = SettlementWeight::from_log2(2).unwrap();
    let mut file = honest(&easy);
    file.head.terms = lease.terms.clone();
    let claim = file.head.commitment;
    ends_with(&refusal(&lease, &file, claim).await, "above-target");
}

#[tokio::test]
async fn a_file_holds_whatever_end_it_states_because_the_chain_decides() {
    let world = World::start(1, 1).await;
    // one file was written before a cancellation, the other names an end before its shares
    let (mut cancelled, whole) = (lease(1, 2, 5, 60), lease(2, 2, 5, 60));
    let (before, mut short) = (honest(&cancelled), honest(&whole));
    cancelled.terms.end = cancelled.terms.epoch_end(1);
    short.head.terms.end = short.head.terms.epoch_end(0);
    for (lease, file) in [(&cancelled, &before), (&whole, &short)] {
        world.show(lease);
        world.deliver(&lease.terms, file).await;
        assert_eq!(world.verified(0, lease.terms.id, 1).await.statement.work, Work::new(96));
    }
}

#[tokio::test]
async fn work_that_another_lease_was_first_to_show_is_left_out() {
    let mut world = World::start(1, 1).await;
    let (first, second) = (lease(1, 1, 2, 60), lease(2, 1, 2, 60));
    world.show(&first);
    world.show(&second);
    let job = job_in(&first.terms, 0, 1);
    let file = evidence(&first.terms, 0, &[(&job, 10)]);
    world.deliver(&first.terms, &file).await;
    world.verified(0, LeaseId(1), 0).await;
    world.restart(0).await;
    // the signature covers the lease, the header does not
    let (copied, own) = (same_job_for(&second.terms, &job), job_in(&second.terms, 0, 2));
    let again = evidence(&second.terms, 0, &[(&copied, 10), (&own, 4)]);
    world.deliver(&second.terms, &again).await;
    let view = world.verified(0, LeaseId(2), 0).await;
    let epoch = &view.epochs[0];
    assert_eq!((epoch.count, epoch.left_out, epoch.work.as_str()), (14, 10, "32"));
    assert_eq!(view.statement.evidence, chain(&[again.head.commitment]), "the root stands");
    world.client(0).sign(&[view.statement]).await.unwrap();
    let claimed = Statement { work: Work::new(112), ..view.statement };
    assert_eq!(world.not_signed(0, claimed).await.0, "work-above-verified");

    // the first lease keeps the work; members that saw the copy first state less
    for _ in 0..2 {
        let kept = world.verified(0, LeaseId(1), 0).await;
        assert_eq!((kept.epochs[0].contested, kept.statement.work), (10, Work::new(80)));
        let less = |work| Statement { work: Work::new(work), ..kept.statement };
        for work in [80, 40, 0] {
            world.client(0).sign(&[less(work)]).await.unwrap();
        }
        assert_eq!(world.not_signed(0, less(81)).await.0, "work-above-verified");
        world.restart(0).await;
    }
}

#[tokio::test]
async fn work_that_nobody_contests_is_not_signed_away() {
    let world = World::start(1, 1).await;
    let (first, second) = (lease(1, 1, 2, 60), lease(2, 1, 2, 60));
    world.show(&first);
    world.show(&second);
    let (old, own) = (job_in(&first.terms, 0, 1), job_in(&first.terms, 0, 2));
    world.deliver(&first.terms, &evidence(&first.terms, 0, &[(&old, 3), (&own, 7)])).await;
    world.verified(0, LeaseId(1), 0).await;
    world
        .deliver(&second.terms, &evidence(&second.terms, 0, &[(&same_job_for(&second.terms, &old), 3)]))
        .await;
    assert_eq!(world.verified(0, LeaseId(2), 0).await.statement.work, Work::ZERO);
    let kept = world.verified(0, LeaseId(1), 0).await.statement;
    let less = |work| Statement { work: Work::new(work), ..kept };
    world.client(0).sign(&[less(56)]).await.unwrap();
    let (code, message) = world.not_signed(0, less(55)).await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("work-below-verified", "work: verified 56, asked for only 55")
    );
}

#[tokio::test]
async fn a_refused_epoch_takes_no_key_from_others() {
    let world = World::start(1, 1).await;
    let leases = [1, 2].map(|id| lease(id, 1, 2, 60));
    for lease in &leases {
        world.show(lease);
    }
    let [first, second] = &leases.map(|lease| lease.terms);
    let job = job_in(first, 0, 1);
    let mut bad = evidence(first, 0, &[(&job, 40)]);
    bad.head.commitment.root.0[31] ^= 1;
    world.deliver(first, &bad).await;
    world.refused(0, LeaseId(1), 0).await;
    world.deliver(second, &evidence(second, 0, &[(&same_job_for(second, &job), 40)])).await;
    let view = world.verified(0, LeaseId(2), 0).await;
    assert_eq!((view.epochs[0].left_out, view.statement.work), (0, Work::new(320)));
}

/// A member verifies the file of an Ethash epoch, and builds the next DAG's cache once it has seen
/// work under this one.
#[tokio::test]
async fn evidence_of_ethash_is_verified_and_the_next_dag_is_prepared() {
    let mut lease = lease(1, 1, 3, 60);
    lease.terms.algorithm = Algorithm::Ethash;
    let terms = &lease.terms;
    let from = terms.epoch_end(0) - 600;
    let window = from.get()..=from.get() + 599;
    let job = EthashJob { block_number: 29_999, ..ethash_job(terms, 1, window) };
    let first = EthashEpoch::of_ethash_block(0).unwrap();
    let verified = verified(terms, job).with_cache(Arc::new(LightCache::build(first)));
    let shares = mine(&verified, u32::try_from(from).unwrap()).take(5).collect();
    let file = hashlease_fixtures::evidence(terms, 0, vec![verified.signed().clone()], shares);

    let world = World::start(1, 1).await;
    world.show(&lease);
    world.deliver(terms, &file).await;
    assert_eq!(world.verified(0, terms.id, 0).await.statement.work, Work::new(40));
    let caches = world.data_dir(0).join("light-caches");
    until_some("the caches of this DAG and the next", || async {
        let names = std::fs::read_dir(&caches).ok()?.map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| name.ends_with(".cache"));
        names.sort();
        let starts =
            |at: usize, with: &str| names.get(at).is_some_and(|name: &String| name.starts_with(with));
        (starts(0, "light-0-") && starts(1, "light-1-")).then_some(())
    })
    .await;
}
