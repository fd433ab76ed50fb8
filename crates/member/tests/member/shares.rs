//! Shares that are shown while a lease runs, and whose work it is.

use crate::world::*;
use hashlease_committee::{EpochState, LostJob, ShownShare};
use hashlease_fixtures::mine;
use hashlease_primitives::{EpochId, Lease, LeaseId, SignedJob, Terms, UnixMillis, Work};
use hashlease_share::VerifiedJob;

/// A lease that runs, of one of several providers.
fn running(id: u64, provider: u8) -> Lease {
    let mut lease = lease(id, 0, 2, 60);
    lease.terms.provider = provider_of(provider).address();
    lease
}

/// So many shares of a job.
fn shares(terms: &Terms, signed: &SignedJob, count: usize) -> Vec<ShownShare> {
    let job = VerifiedJob::verify(terms, signed.clone()).unwrap();
    let ntime = u32::try_from(signed.job.not_after().get()).unwrap();
    let mined = mine(&job, ntime).take(count);
    mined.map(|share| ShownShare { job: signed.clone(), share: share.share().clone() }).collect()
}

fn lost(jobs: &[LostJob]) -> Vec<(u64, LeaseId)> {
    jobs.iter().map(|job| (job.sequence, job.by)).collect()
}

#[tokio::test]
async fn work_belongs_to_the_lease_that_shows_a_share_of_it_first() {
    let mut world = World::start(2, 2).await;
    let (mine, theirs) = (running(1, 0), running(2, 1));
    world.show(&mine);
    world.show(&theirs);
    let first = job(&mine.terms, 7, now(), now() + 300);
    let copy = same_job_for(&theirs.terms, &first);
    world.client(0).post_job(&first).await.unwrap();
    world.client(0).post_job(&copy).await.unwrap();
    let due = async |world: &World, lease: u64| world.view(0, LeaseId(lease), 0).await.statement.due;
    assert!(due(&world, 2).await > theirs.terms.rate.over(250), "words own nothing");

    let shown = shares(&mine.terms, &first, 5);
    world.client(0).show_share(&shown[0]).await.unwrap();
    assert_eq!(lost(&world.client(0).lost_jobs(LeaseId(2)).await.unwrap().jobs), [(7, LeaseId(1))]);
    assert_eq!(world.client(0).lost_jobs(LeaseId(1)).await.unwrap().jobs, []);
    assert!(due(&world, 2).await < theirs.terms.rate.over(60), "nothing more of it is due");
    assert!(due(&world, 1).await > mine.terms.rate.over(250));
    // the same share, and another one, come too late for the other lease
    for share in [&shown[0], &shown[1]] {
        let late = ShownShare { job: copy.clone(), share: share.share.clone() };
        assert_eq!(code(world.client(0).show_share(&late).await), "work-of-another-lease");
    }
    // so does a job that is signed afterwards
    let later = same_job_for(&theirs.terms, &job_with_sequence(&mine.terms, &first, 8));
    world.client(0).post_job(&later).await.unwrap();
    let both = [(7, LeaseId(1)), (8, LeaseId(1))];
    assert_eq!(lost(&world.client(0).lost_jobs(LeaseId(2)).await.unwrap().jobs), both);
    // the other member was told
    until_some("the other member to know", async || {
        let jobs = world.client(1).lost_jobs(LeaseId(2)).await.ok()?.jobs;
        (lost(&jobs) == both).then_some(())
    })
    .await;
    world.restart(0).await;
    assert_eq!(lost(&world.client(0).lost_jobs(LeaseId(2)).await.unwrap().jobs), both);
    let late = ShownShare { job: copy.clone(), share: shown[2].share.clone() };
    assert_eq!(code(world.client(0).show_share(&late).await), "work-of-another-lease");

    // only the first lease is paid for it, and the other one's root stands
    world.clock.advance(u64::from(EPOCH));
    world.deliver(&theirs.terms, &evidence(&theirs.terms, 0, &[(&copy, 5)])).await;
    let view = world.verified(0, LeaseId(2), 0).await;
    assert_eq!((view.statement.work, view.epochs[0].count, view.epochs[0].left_out), (Work::ZERO, 5, 5));
    world.deliver(&mine.terms, &evidence(&mine.terms, 0, &[(&first, 5)])).await;
    let view = world.verified(0, LeaseId(1), 0).await;
    assert_eq!((view.statement.work, view.epochs[0].left_out), (Work::new(40), 0));
    assert_eq!(view.epochs[0].state, EpochState::Verified);
}

fn job_with_sequence(terms: &Terms, signed: &SignedJob, sequence: u64) -> SignedJob {
    let mut job = signed.job.header().unwrap().clone();
    job.sequence = sequence;
    sign(terms, job)
}

#[tokio::test]
async fn a_share_that_breaks_a_rule_takes_nothing() {
    let world = World::start(1, 1).await;
    let (mine, theirs) = (running(1, 0), running(2, 1));
    world.show(&mine);
    world.show(&theirs);
    let first = job(&mine.terms, 7, now(), now() + 300);
    world.client(0).post_job(&same_job_for(&theirs.terms, &first)).await.unwrap();
    let good = shares(&mine.terms, &first, 5);
    let opened = VerifiedJob::verify(&mine.terms, first.clone()).unwrap();
    let mut weak = good[0].clone();
    loop {
        let header = weak.share.header_mut().unwrap();
        header.nonce = header.nonce.wrapping_add(1);
        let share = opened.open(&weak.share, mine.terms.end).unwrap();
        if share.settle().is_err() {
            break;
        }
    }
    for _ in 0..8 {
        assert_eq!(code(world.client(0).show_share(&weak).await), "above-target");
    }
    let mut outside = good[0].clone();
    outside.share.header_mut().unwrap().version ^= 1;
    assert_eq!(code(world.client(0).show_share(&outside).await), "version-outside-mask");
    let mut unsigned = good[0].clone();
    unsigned.job.signature = [0; 65];
    assert_eq!(code(world.client(0).show_share(&unsigned).await), "job-unsigned");
    assert_eq!(world.client(0).lost_jobs(LeaseId(2)).await.unwrap().jobs, []);
    // the bad ones kept none away; a job's first shares are enough, and are bounded
    for share in &good[..4] {
        world.client(0).show_share(share).await.unwrap();
    }
    assert_eq!(code(world.client(0).show_share(&good[4]).await), "share-limit");
    let lost = world.client(0).lost_jobs(LeaseId(2)).await.unwrap().jobs;
    assert_eq!((lost.len(), lost[0].at > UnixMillis::default()), (1, true));
}

#[tokio::test]
async fn shares_of_disputed_jobs_may_be_counted_or_not() {
    let world = World::start(1, 1).await;
    let (mine, theirs) = (running(1, 0), running(2, 1));
    world.show(&mine);
    world.show(&theirs);
    let (first, other) = (job(&mine.terms, 7, now(), now() + 300), job(&mine.terms, 8, now(), now() + 300));
    world.client(0).post_job(&first).await.unwrap();
    world.client(0).post_job(&other).await.unwrap();
    world.client(0).show_share(&shares(&mine.terms, &first, 1)[0]).await.unwrap();
    world.client(0).post_job(&same_job_for(&theirs.terms, &first)).await.unwrap();
    world.clock.advance(u64::from(EPOCH));
    world.deliver(&mine.terms, &evidence(&mine.terms, 0, &[(&first, 5), (&other, 3)])).await;
    let counted = async || {
        let view = world.verified(0, LeaseId(1), 0).await;
        (view.epochs[0].contested == 5).then_some(view)
    };
    let view = until_some("the contested shares", counted).await;
    assert_eq!(view.statement.work, Work::new(64));
    // a member that saw the other lease's share first counts less
    let asked = hashlease_primitives::Statement { work: Work::new(24), ..view.statement };
    world.client(0).sign(&[asked]).await.unwrap();
    let asked = hashlease_primitives::Statement { work: Work::new(23), ..view.statement };
    assert_eq!(world.not_signed(0, asked).await.0, "work-below-verified");
    let epoch = EpochId::new(LeaseId(1), 0);
    assert_eq!(world.client(0).statement(epoch).await.unwrap().statement, view.statement);
}
