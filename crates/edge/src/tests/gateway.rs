//! The gateway's end of the link, scripted.

use super::world::{patiently, until};
use hashlease_net::Tcp;
use hashlease_stratum::client::{ConnectOptions, UpstreamEvents, UpstreamHandle, connect};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

pub(super) struct Gateway {
    pub(super) handle: UpstreamHandle,
    /// The node's end of the link, which lasts until this is dropped; a test may take it out.
    pub(super) events: Option<UpstreamEvents>,
    submits: Arc<Mutex<Vec<Value>>>,
    verdict: Arc<Mutex<Value>>,
    push: mpsc::UnboundedSender<String>,
}

impl Gateway {
    /// Starts a connected gateway that accepts every share.
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let submits = Arc::new(Mutex::new(Vec::new()));
        let verdict = Arc::new(Mutex::new(json!({"result": true, "error": null})));
        let (push, pushed) = mpsc::unbounded_channel();
        let (to, said) = (Arc::clone(&submits), Arc::clone(&verdict));
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            serve(stream, to, said, pushed).await;
        });
        let options = ConnectOptions::new(&address, "node/test").notifications(["hashlease.job"]);
        let (handle, events) = connect(&Tcp, options).await.unwrap();
        Self { handle, events: Some(events), submits, verdict, push }
    }

    /// Answers shares with `verdict` from now on.
    pub(super) fn answers(&self, verdict: Value) {
        *self.verdict.lock().unwrap() = verdict;
    }

    /// Sends a line.
    pub(super) fn push(&self, line: &str) {
        self.push.send(line.to_owned()).unwrap();
    }

    /// The parameters of all submits, once there are `count`.
    pub(super) async fn submits(&self, count: usize) -> Vec<Value> {
        until(&format!("{count} shares at the gateway"), || self.submits.lock().unwrap().len() >= count)
            .await;
        self.submits.lock().unwrap().clone()
    }
}

async fn serve(
    stream: TcpStream,
    submits: Arc<Mutex<Vec<Value>>>,
    verdict: Arc<Mutex<Value>>,
    mut pushed: mpsc::UnboundedReceiver<String>,
) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    loop {
        let out = tokio::select! {
            line = patiently("a line of the node", lines.next_line()) => {
                let Ok(Some(line)) = line else { return };
                let message: Value = serde_json::from_str(&line).unwrap();
                let mut answer = match message["method"].as_str().unwrap() {
                    "mining.subscribe" => json!({"result": [[], "00", 8], "error": null}),
                    "mining.submit" => {
                        submits.lock().unwrap().push(message["params"].clone());
                        verdict.lock().unwrap().clone()
                    }
                    _ => json!({"result": true, "error": null}),
                };
                answer["id"] = message["id"].clone();
                format!("{answer}\n")
            }
            line = pushed.recv() => match line {
                Some(line) => line,
                None => return,
            },
        };
        if writer.write_all(out.as_bytes()).await.is_err() {
            return;
        }
    }
}
