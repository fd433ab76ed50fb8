//! The first share of a job is shown to the members, who may know its work as another lease's.

use super::{
    gateway::Gateway,
    miner::refusal,
    world::{World, job},
};
use crate::shows::{Answer, ToShow};
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

/// A member that gives the first share such an answer.
async fn answer(mut member: Receiver<ToShow>, answer: Answer) -> Receiver<ToShow> {
    let asked = member.recv().await.unwrap();
    // the others may have decided
    let _ = asked.answers.send(answer);
    member
}

#[tokio::test]
async fn the_first_share_of_a_job_is_shown_before_it_is_forwarded() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let gateway = Gateway::start().await;
    world.served(1).set_link(Some(gateway.handle.clone()));
    let mut member = world.served(1).shows.subscribe();
    let (mut miner, told) = world.working().await;
    let first = told.mine();
    let seen = async {
        let asked = member.recv().await.unwrap();
        assert_eq!(gateway.submits(0).await.len(), 0, "it waits for the member");
        assert_eq!(asked.shown.job.job.sequence(), 1);
        asked.answers.send(Answer::Taken).unwrap();
    };
    let (answer, ()) = tokio::join!(miner.submit(&first), seen);
    assert_eq!(answer["result"], true);
    assert_eq!(gateway.submits(1).await.len(), 1);
    world.counts(&mut miner, &told).await;
    assert_eq!(member.try_recv().unwrap_err(), TryRecvError::Empty, "one share of a job is enough");
}

#[tokio::test]
async fn a_job_whose_work_enough_members_know_as_anothers_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let gateway = Gateway::start().await;
    let served = world.served(1);
    served.set_link(Some(gateway.handle.clone()));
    served.shows.set_threshold(2);
    let members = [(); 3].map(|()| served.shows.subscribe());
    let (mut miner, told) = world.working().await;
    let share = told.mine();
    let [one, two, three] = members;
    let (refused, one, two, three) = tokio::join!(
        miner.submit(&share),
        answer(one, Answer::AnotherLease),
        answer(two, Answer::Taken),
        answer(three, Answer::AnotherLease),
    );
    assert_eq!(refusal(&refused), (20, "work-of-another-lease".to_owned()));
    assert!(served.current_job().is_none(), "nobody mines it any more");
    let late = miner.submit(&told.mine()).await;
    assert_eq!(refusal(&late).1, "work-of-another-lease");
    assert_eq!((world.counted(1), gateway.submits(0).await.len()), (0, 0));
    // one member alone takes no job away
    world.offer(job(&world.terms(1), 2)).await;
    let next = miner.job_of(1, 2).await;
    let share = next.mine();
    let (taken, ..) = tokio::join!(
        miner.submit(&share),
        answer(one, Answer::AnotherLease),
        answer(two, Answer::Taken),
        answer(three, Answer::Taken),
    );
    assert_eq!(taken["result"], true);
    assert_eq!(world.counted(1), 1);
}
