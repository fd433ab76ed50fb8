//! Jobs posted to the committee's members: which answers lead to another attempt.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use hashlease_primitives::SignedJob;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};
use url::Url;
use world::*;

/// A member's answers to jobs: a status, or no answer.
type Answers = Arc<Mutex<VecDeque<Option<u16>>>>;

/// Sequence of a posted job, and the status of the answer.
type Post = (u64, Option<u16>);

/// A member that answers from a list, and 200 once the list is empty.
struct Member {
    url: Url,
    posts: Arc<Mutex<Vec<Post>>>,
}

impl Member {
    async fn start(answers: impl IntoIterator<Item = Option<u16>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let answers: Answers = Arc::new(Mutex::new(answers.into_iter().collect()));
        let posts = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&posts);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&answers), Arc::clone(&to)));
            }
        });
        Self { url, posts }
    }

    /// The first `count` posts, once there are that many.
    async fn posts(&self, count: usize) -> Vec<Post> {
        let begun = Instant::now();
        loop {
            let posts = self.posts.lock().unwrap().clone();
            if posts.len() >= count {
                return posts.into_iter().take(count).collect();
            }
            assert!(begun.elapsed() < Duration::from_secs(40), "{posts:?}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn answer(stream: TcpStream, answers: Answers, posts: Arc<Mutex<Vec<Post>>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = head[start..].to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        assert!(head.starts_with("POST /v1/jobs HTTP/1.1\r\n"), "{head}");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let job: SignedJob = serde_json::from_slice(&body).unwrap();
        let status = answers.lock().unwrap().pop_front().unwrap_or(Some(200));
        posts.lock().unwrap().push((job.job.sequence(), status));
        let Some(status) = status else {
            // read on until the gateway gives up
            let _ = stream.read_to_end(&mut Vec::new()).await;
            return;
        };
        let body = match status {
            200 => concat!(
                r#"{"received":1,"signature":""#,
                "0000000000000000000000000000000000000000000000000000000000000000",
                "0000000000000000000000000000000000000000000000000000000000000000",
                r#"00"}"#
            ),
            // an error of the member itself, and an error of a proxy in between
            400 => r#"{"code":"job-window","message":"too long"}"#,
            _ => "<html>",
        };
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// The first `count` posts to a member with these answers.
async fn posts_of(answers: &[Option<u16>], count: usize) -> Vec<Post> {
    let pool = Pool::start(Script::default()).await;
    let member = Member::start(answers.iter().copied()).await;
    let dir = tempfile::tempdir().unwrap();
    let mut assignment = assignment(terms(1), pool.address);
    assignment.members = vec![member.url.clone()];
    let _world = start(dir.path(), vec![assignment]).await;
    member.posts(count).await
}

#[tokio::test]
async fn a_job_is_posted_again_after_a_temporary_failure() {
    let posts = posts_of(&[404, 408, 429, 500, 503].map(Some), 7).await;
    let (first, next) = posts.split_at(6);
    assert!(first.iter().all(|(sequence, _)| *sequence == first[0].0), "{posts:?}");
    assert_eq!(first[5].1, Some(200));
    assert!(next[0].0 > first[0].0, "{posts:?}");
}

#[tokio::test]
async fn a_job_that_is_refused_is_not_posted_again() {
    let posts = posts_of(&[400, 401, 409, 422].map(Some), 5).await;
    assert!(posts.is_sorted_by(|(one, _), (other, _)| one < other), "{posts:?}");
}

#[tokio::test]
async fn a_job_is_posted_again_when_a_member_does_not_answer() {
    let begun = Instant::now();
    let posts = posts_of(&[None], 2).await;
    assert_eq!(posts[0].0, posts[1].0, "{posts:?}");
    assert!(begun.elapsed() < Duration::from_secs(9), "the second attempt came too late for the job");
}
