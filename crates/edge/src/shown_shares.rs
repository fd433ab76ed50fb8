//! The first share of each job is shown to the members before it is forwarded: from then on its work
//! is this lease's. When enough members say that another lease was first, the job is left out.

use crate::{
    mineable_job::MineableJob,
    mined_lease::MinedLease,
    shows::{Answer, ToShow},
};
use hashlease_committee::ShownShare;
use hashlease_primitives::Target;
use hashlease_share::{Share, VerifiedShare};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tracing::warn;

/// How long a share waits for the members before it is forwarded.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long the members' answers are listened to.
const LISTENING: Duration = Duration::from_secs(10);

/// Shows the first share of a job, and waits a moment for the members. A share that is a block is
/// shown as well, and waits for nothing.
pub(crate) async fn show_first(
    lease: &Arc<MinedLease>,
    job: &Arc<MineableJob>,
    share: &Share,
    settled: &VerifiedShare,
) {
    if !job.begin_to_show() {
        return;
    }
    let (answers, heard) = mpsc::unbounded_channel();
    let shown = Arc::new(ShownShare { job: job.verified.signed().clone(), share: share.clone() });
    // nobody listens where the lease has no members
    let Some(members) = lease.shows.show(ToShow { shown, answers }) else { return };
    let threshold = lease.shows.threshold();
    let (decided, decision) = oneshot::channel();
    let (lease, of) = (Arc::clone(lease), Arc::clone(job));
    tokio::spawn(async move {
        let listening = timeout(LISTENING, listen(heard, members, threshold));
        if listening.await == Ok(Decision::Lost) {
            warn!(lease = %lease.id(), job = of.sequence(), "another lease was first to show this job's work: it is left out");
            lease.lose_job(&of);
        }
        // the share may not have waited so long
        let _ = decided.send(());
    });
    if !is_block(job, settled) {
        // whatever the members say, the share goes on to the pool unless its job is lost
        let _ = timeout(PATIENCE, decision).await;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Kept,
    Lost,
}

/// Waits until enough members have said the same, or all have answered.
async fn listen(mut heard: mpsc::UnboundedReceiver<Answer>, members: usize, threshold: usize) -> Decision {
    let (mut taken, mut lost, mut all) = (0usize, 0usize, 0usize);
    while let Some(answer) = heard.recv().await {
        all = all.saturating_add(1);
        match answer {
            Answer::Taken => taken = taken.saturating_add(1),
            Answer::AnotherLease => lost = lost.saturating_add(1),
            Answer::None => {}
        }
        if lost >= threshold {
            return Decision::Lost;
        }
        if taken >= threshold || all >= members {
            return Decision::Kept;
        }
    }
    Decision::Kept
}

/// Whether a share is a block of its pool's chain.
fn is_block(job: &MineableJob, settled: &VerifiedShare) -> bool {
    let target = job.verified.job().header().and_then(|header| Target::from_compact(header.n_bits));
    target.is_some_and(|target| target.is_met_by(settled.hash()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn heard(answers: &[Answer], members: usize, threshold: usize) -> Decision {
        let (sender, receiver) = mpsc::unbounded_channel();
        for answer in answers {
            sender.send(*answer).unwrap();
        }
        drop(sender);
        listen(receiver, members, threshold).await
    }

    #[tokio::test]
    async fn a_minority_of_members_takes_no_job_away() {
        use Answer::{AnotherLease, None, Taken};
        assert_eq!(heard(&[AnotherLease, AnotherLease, Taken, Taken, Taken], 5, 3).await, Decision::Kept);
        assert_eq!(heard(&[AnotherLease, AnotherLease, None, None, None], 5, 3).await, Decision::Kept);
        assert_eq!(
            heard(&[AnotherLease, Taken, AnotherLease, Taken, AnotherLease], 5, 3).await,
            Decision::Lost
        );
        assert_eq!(heard(&[], 5, 3).await, Decision::Kept);
    }
}
