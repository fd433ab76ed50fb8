//! The evidence that a node serves.

use super::world::{World, http_get, terms};
use hashlease_evidence::{Evidence, EvidenceReader};
use hashlease_primitives::{EpochId, LeaseId};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use tokio::net::TcpStream;

/// The response's status and body.
async fn get(api: SocketAddr, lease: u64, epoch: u32) -> (u16, Vec<u8>) {
    let path = format!("v1/leases/{lease}/epochs/{epoch}/evidence");
    let answer = http_get(api, &path).await;
    (answer.status, answer.body)
}

async fn refused(api: SocketAddr, lease: u64, epoch: u32) -> (u16, String) {
    let (status, body) = get(api, lease, epoch).await;
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    (status, body["code"].as_str().unwrap().to_owned())
}

/// A node with a closed epoch of `count` shares, and that epoch's evidence.
async fn closed(dir: &Path, count: usize) -> (World, Evidence) {
    let world = World::with_job(dir).await;
    let (mut miner, job) = world.working().await;
    for _ in 0..count {
        world.counts(&mut miner, &job).await;
    }
    let commitment = world.book.close(EpochId::new(LeaseId(1), 0)).await.unwrap();
    assert_eq!(commitment.count, count as u64);
    let evidence = world.book.read(LeaseId(1), |lease| lease.evidence(0).unwrap()).unwrap();
    assert_eq!(evidence.head.commitment, commitment);
    (world, evidence)
}

fn only_file(dir: &Path) -> PathBuf {
    let files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files, [dir.join("lease-1-epoch-0.hlev")]);
    files[0].clone()
}

#[tokio::test]
async fn the_evidence_of_a_closed_epoch_is_written_once_and_served_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let (world, evidence) = closed(dir.path(), 30).await;
    // one place more than readers: the first one's may be given back a moment later
    let (api, files) = world.api(9).await;
    let (status, bytes) = get(api, 1, 0).await;
    assert_eq!((status, Evidence::decode(&bytes).unwrap()), (200, evidence.clone()));
    assert!(evidence.recheck().holds());
    let file = only_file(&files);
    assert_eq!(fs::read(&file).unwrap(), bytes);
    let written = fs::metadata(&file).unwrap().modified().unwrap();
    for (_, again) in futures::future::join_all([(); 8].map(|()| get(api, 1, 0))).await {
        assert_eq!(again, bytes);
    }
    // a restart does not write it again either
    let (api, _) = world.api(8).await;
    assert_eq!(get(api, 1, 0).await, (200, bytes));
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written, "the file was complete");
}

#[tokio::test]
async fn many_ask_for_a_file_that_is_not_there_yet_and_all_get_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (world, evidence) = closed(dir.path(), 30).await;
    let (api, files) = world.api(64).await;
    // a reader who leaves before the file exists does not make it fail for the others
    for _ in 0..4 {
        let mut gone = TcpStream::connect(api).await.unwrap();
        let request = b"GET /v1/leases/1/epochs/0/evidence HTTP/1.1\r\nhost: node\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut gone, request).await.unwrap();
    }
    for answer in futures::future::join_all([(); 16].map(|()| get(api, 1, 0))).await {
        assert_eq!(answer, (200, evidence.encode().unwrap()));
    }
    only_file(&files);
}

#[tokio::test]
async fn a_missing_damaged_or_wrong_file_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let (world, evidence) = closed(dir.path(), 30).await;
    let (api, files) = world.api(8).await;
    let (_, whole) = get(api, 1, 0).await;
    let file = only_file(&files);
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let mut other = evidence.clone();
    other.head.epoch = 1;
    let cut = whole[..whole.len() - 1].to_vec();
    let longer = [whole.as_slice(), b"more"].concat();
    let bad = [flipped, cut, longer, Vec::new(), b"not evidence".to_vec(), other.encode().unwrap()];
    for bytes in &bad {
        fs::write(&file, bytes).unwrap();
        assert_eq!(get(api, 1, 0).await, (200, whole.clone()), "while the node runs");
        fs::write(&file, bytes).unwrap();
        // now only the journal knows what the file should contain
        let (again, _) = world.api(8).await;
        assert_eq!(get(again, 1, 0).await, (200, whole.clone()), "after a restart");
    }
    fs::remove_file(&file).unwrap();
    // a restart also deletes a half-written file
    fs::write(file.with_extension("new"), b"half").unwrap();
    let (again, _) = world.api(8).await;
    assert_eq!(get(again, 1, 0).await, (200, whole));
    only_file(&files);
}

#[tokio::test]
async fn hidden_damage_is_found_when_the_file_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let (world, _) = closed(dir.path(), 30).await;
    let (api, files) = world.api(8).await;
    let (_, whole) = get(api, 1, 0).await;
    let file = only_file(&files);
    let written = fs::metadata(&file).unwrap().modified().unwrap();
    let mut rotten = whole.clone();
    rotten[whole.len() / 2] ^= 1;
    fs::write(&file, &rotten).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(written).unwrap();
    // the first reader notices the damage by the checksum, and asks again
    assert_eq!(get(api, 1, 0).await.1, rotten);
    super::world::patiently("the file is written again", async { while get(api, 1, 0).await.1 != whole {} })
        .await;
}

#[tokio::test]
async fn open_epochs_and_unknown_leases_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    world.counts(&mut miner, &job).await;
    let (api, files) = world.api(8).await;
    assert_eq!(refused(api, 1, 0).await, (404, "not-closed".into()));
    assert_eq!(refused(api, 7, 0).await, (404, "unknown-lease".into()));
    assert_eq!(fs::read_dir(files).unwrap().count(), 0);
    world.book.close(EpochId::new(LeaseId(1), 1)).await.unwrap();
    let (status, bytes) = get(api, 1, 1).await;
    let empty = EvidenceReader::open(bytes.as_slice()).unwrap();
    assert_eq!((status, empty.left(), empty.head().jobs.len()), (200, 0, 0));
}

#[tokio::test]
async fn the_number_of_files_served_at_once_is_limited() {
    let dir = tempfile::tempdir().unwrap();
    let (world, evidence) = closed(dir.path(), 30).await;
    let (none, files) = world.api(0).await;
    assert_eq!(refused(none, 1, 0).await, (503, "busy".into()));
    assert_eq!(fs::read_dir(files).unwrap().count(), 0, "no file is written");
    let (one, _) = world.api(1).await;
    for _ in 0..5 {
        // the slot is free again once the file is sent
        super::world::patiently("a free slot", async {
            while get(one, 1, 0).await != (200, evidence.encode().unwrap()) {}
        })
        .await;
    }
}

#[tokio::test]
async fn shares_are_counted_while_a_file_is_read_from_the_book() {
    let dir = tempfile::tempdir().unwrap();
    let (world, evidence) = closed(dir.path(), 30).await;
    // the reads that produce a file
    let shares = world.book.shares(EpochId::new(LeaseId(1), 0)).unwrap();
    let refusal = world.book.closed(EpochId::new(LeaseId(1), 1)).unwrap_err();
    assert_eq!(refusal.to_string(), "epoch 1 of lease 1 is not closed yet");
    world.add(terms(2)).await;
    world.offer(super::world::job(&world.terms(2), 1)).await;
    let mut miner = world.miner("2.rig").await;
    let job = miner.job().await;
    assert_eq!(miner.submit(&job.mine()).await["result"], true);
    assert_eq!(shares.rebuild().unwrap().commitment(), evidence.head.commitment);
}
