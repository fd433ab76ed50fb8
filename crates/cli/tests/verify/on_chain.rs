//! What only the chain says of a lease: whether its terms are those of the file, and who chose the
//! job signer.

use crate::program::*;
use alloy::sol_types::{SolCall, SolValue as _};
use alloy_primitives::{Address, aliases::U40, aliases::U96, hex};
use hashlease_chain::bindings::LeaseEscrow::{leaseCall, pinnedOracleCall};
use hashlease_primitives::{Algorithm, Terms};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
};

type Record = <leaseCall as SolCall>::Return;
type Pinned = <pinnedOracleCall as SolCall>::Return;

/// The escrow's record of a lease.
fn record(terms: &Terms, dictated: bool) -> Record {
    Record {
        provider: terms.provider,
        jobSigner: terms.job_signer,
        oracle: 1,
        algorithm: terms.algorithm as u8,
        weightLog2: terms.weight.log2(),
        signerDictated: dictated,
        rate: U96::from(terms.rate.per_second()),
        start: U40::from(terms.start.get()),
        end: U40::from(terms.end.get()),
        duration: terms.duration,
        epochLength: terms.epoch_length,
        ..Default::default()
    }
}

/// Serves a chain with one lease until the test ends, and returns its URL.
fn serve(lease: Record, oracle: Address) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let pinned = Pinned { account: oracle, window: 3_600, ..Default::default() };
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (lease, pinned) = (lease.abi_encode(), pinned.abi_encode());
            thread::spawn(move || answer(&stream.unwrap(), &lease, &pinned));
        }
    });
    url
}

/// Answers the requests of one connection.
fn answer(stream: &TcpStream, lease: &[u8], pinned: &[u8]) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut length, mut line) = (0, String::new());
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let request: Value = serde_json::from_slice(&body).unwrap();
        let result = match request["method"].as_str().unwrap() {
            "eth_chainId" => "0x7a69".to_owned(),
            "eth_getCode" => "0x00".to_owned(),
            "eth_call" => {
                let call = &request["params"][0];
                let input = call["input"].as_str().or(call["data"].as_str()).unwrap();
                let of_lease = input.starts_with(&hex::encode_prefixed(leaseCall::SELECTOR));
                hex::encode_prefixed(if of_lease { lease } else { pinned })
            }
            other => panic!("{other} was not expected"),
        };
        let answer = json!({"jsonrpc": "2.0", "id": request["id"], "result": result}).to_string();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}", answer.len());
        let mut to = stream;
        write!(to, "{head}\r\n\r\n{answer}").unwrap();
    }
}

#[test]
fn the_chain_says_who_chose_the_job_signer() {
    let dir = tempfile::tempdir().unwrap();
    let evidence = evidence(Algorithm::Sha256d);
    let terms = &evidence.head.terms;
    let file = written(dir.path(), "epoch.hlev", &evidence.encode().unwrap());
    let other = Address::repeat_byte(0xee);
    let deployment = format!(
        "chain_id = 31337\nescrow = \"{}\"\noracle = \"{}\"\nblock = 0\noracle_id = 1\nregistry = \"{other}\"\n\
         lens = \"{other}\"\ndirectory = \"{other}\"\ntoken = \"{other}\"\naccess_manager = \"{other}\"\n",
        terms.domain.contract, terms.oracle
    );
    let deployment = written(dir.path(), "deployment.toml", deployment.as_bytes());
    let alone = verify(&["--share", "7", "--json", &file]).1;
    let alone = written(dir.path(), "share.json", alone.as_bytes());
    // the file alone does not say it
    let silent = verify(&["--deployment", &deployment, &file]).1;
    assert!(
        silent.ends_with("  who chose the job signer is not in the file: pass --deployment and --rpc\n"),
        "{silent}"
    );

    for (dictated, words) in [(true, "signer chosen by the provider"), (false, "signer chosen by the renter")]
    {
        let url = serve(record(terms, dictated), terms.oracle);
        for source in [vec![file.as_str()], vec!["--share", "7", &file], vec![&alone]] {
            let run = |options: &[&str]| {
                verify(&[&["--deployment", &deployment, "--rpc", &url], options, &source].concat())
            };
            let (status, said, error) = run(&[]);
            assert_eq!((status, error.as_str()), (0, ""), "{said}");
            let lease = said.lines().find(|line| line.starts_with("  lease ")).unwrap();
            assert!(lease.ends_with(&format!(", sha256d on chain 31337, {words}")), "{lease}");
            let said: Value = serde_json::from_str(&run(&["--json"]).1).unwrap();
            let said = said.get("verdict").unwrap_or(&said);
            assert_eq!((&said["selfAttributed"], &said["signerDictated"]), (&json!(false), &json!(dictated)));
        }
    }

    // terms that are not the chain's
    let mut lease = record(terms, false);
    lease.provider = other;
    lease.end = U40::from(1_050);
    let url = serve(lease, terms.oracle);
    let (status, said, _) = verify(&["--deployment", &deployment, "--rpc", &url, &file]);
    let differs = format!("on the chain: provider: expected {other}, got {}", terms.provider);
    assert_eq!(status, 1);
    assert!(said.ends_with(&format!("  does not hold: {differs}\n")), "{said}");

    // an endpoint without a deployment, and one that is not there
    assert_eq!(verify(&["--rpc", &url, &file]).0, 2);
    let (status, _, error) = verify(&["--deployment", &deployment, "--rpc", "http://127.0.0.1:1/", &file]);
    assert_eq!(status, 2);
    assert!(error.contains("endpoint can't be reached") || error.contains("RPC"), "{error}");
}
