//! An endpoint as Arbitrum's nodes are: its blocks carry the number of the chain below.

use anyhow::{Context as _, Result};
use axum::{Json, Router, extract::State, routing::post};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::{net::TcpListener, task::JoinHandle};
use url::Url;

/// Number of a block of the chain below.
const BELOW: &str = "0x16e3600";

/// A proxy on the loopback interface. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct ArbitrumEndpoint {
    url: Url,
    asked: Arc<Asked>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Asked {
    upstream: Url,
    client: reqwest::Client,
    /// Parameters of each query for logs.
    logs: Mutex<Vec<Value>>,
}

impl ArbitrumEndpoint {
    /// Forwards to `upstream`.
    pub(crate) async fn start(upstream: &Url) -> Result<Self> {
        let client = reqwest::Client::new();
        let asked = Arc::new(Asked { upstream: upstream.clone(), client, logs: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.context("proxy")?;
        let url = format!("http://{}", listener.local_addr()?).parse()?;
        let routes = Router::new().route("/", post(forward)).with_state(Arc::clone(&asked));
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { url, asked, task })
    }

    pub(crate) const fn url(&self) -> &Url {
        &self.url
    }

    /// Parameters of the queries for logs so far.
    pub(crate) fn logs(&self) -> Vec<Value> {
        self.asked.logs.lock().unwrap().clone()
    }
}

impl Drop for ArbitrumEndpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request or a batch, answered in the same order.
async fn forward(State(asked): State<Arc<Asked>>, Json(request): Json<Value>) -> Json<Value> {
    let answer = asked.client.post(asked.upstream.clone()).json(&request).send().await.unwrap();
    let mut answer: Value = answer.json().await.unwrap();
    match (&request, &mut answer) {
        (Value::Array(requests), Value::Array(answers)) => {
            for (request, answer) in requests.iter().zip(answers) {
                asked.change(request, answer);
            }
        }
        (request, answer) => asked.change(request, answer),
    }
    Json(answer)
}

impl Asked {
    fn change(&self, request: &Value, answer: &mut Value) {
        let method = request["method"].as_str().unwrap_or_default();
        if method == "eth_getLogs" {
            self.logs.lock().unwrap().push(request["params"][0].clone());
        }
        if method.starts_with("eth_getBlockBy") && answer["result"].is_object() {
            answer["result"]["l1BlockNumber"] = json!(BELOW);
        }
    }
}
