//! Loopback servers: the provider's evidence, and members whose answers the test decides.

use axum::{
    Json, Router,
    body::Body,
    extract::{ConnectInfo, Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use futures::StreamExt as _;
use hashlease_committee::{RootReceipt, RootView};
use hashlease_member::SeatView;
use hashlease_primitives::{LocalSigner, SignedEpochRoot, Terms, UnixMillis, root_receipt_digest};
use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::net::TcpListener;
use url::Url;

async fn listen(routes: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

/// The answer of a path.
#[derive(Clone)]
pub enum Served {
    Bytes(Vec<u8>),
    Status(u16),
    /// Blocks of 64 KiB without end.
    Endless,
    /// These bytes, and no more; the connection stays open.
    Stalled(Vec<u8>),
    /// One byte at a time, at intervals of this many milliseconds.
    Dribbled(Vec<u8>, u64),
    /// A redirect to another file.
    Redirect(String),
}

#[derive(Default)]
struct Shelf {
    files: HashMap<String, Served>,
    asked: Vec<String>,
}

/// The provider's web server. A test can replace its files at any time; an unknown name is a 404.
pub struct Files {
    address: SocketAddr,
    shelf: Arc<Mutex<Shelf>>,
}

impl Files {
    pub async fn start() -> Self {
        let shelf = Arc::<Mutex<Shelf>>::default();
        let address = listen(Router::new().route("/{name}", get(file)).with_state(Arc::clone(&shelf))).await;
        Self { address, shelf }
    }

    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    pub fn serve(&self, name: &str, served: Served) {
        self.shelf.lock().unwrap().files.insert(name.to_owned(), served);
    }

    /// The number of requests for a file.
    pub fn hits(&self, name: &str) -> usize {
        self.asked().iter().filter(|asked| *asked == name).count()
    }

    /// The names of all requested files, in order.
    pub fn asked(&self) -> Vec<String> {
        self.shelf.lock().unwrap().asked.clone()
    }
}

async fn file(State(shelf): State<Arc<Mutex<Shelf>>>, Path(name): Path<String>) -> Response {
    let served = {
        let mut shelf = shelf.lock().unwrap();
        shelf.asked.push(name.clone());
        shelf.files.get(&name).cloned()
    };
    match served {
        Some(Served::Bytes(bytes)) => bytes.into_response(),
        Some(Served::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Served::Endless) => {
            let piece = || Ok::<_, Infallible>(vec![0u8; 65_536]);
            Body::from_stream(futures::stream::repeat_with(piece)).into_response()
        }
        Some(Served::Stalled(bytes)) => {
            let some = futures::stream::iter([Ok::<_, Infallible>(bytes)]);
            Body::from_stream(some.chain(futures::stream::pending())).into_response()
        }
        Some(Served::Dribbled(bytes, pause)) => {
            let bytes = futures::stream::iter(bytes).then(move |byte| async move {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                Ok::<_, Infallible>(vec![byte])
            });
            Body::from_stream(bytes).into_response()
        }
        Some(Served::Redirect(to)) => Redirect::temporary(&to).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[derive(Default)]
struct Words {
    root: Option<RootView>,
    hangs: bool,
    asked: Vec<Question>,
}

/// A question from one member to another.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    pub lease: u64,
    /// The address from which the question came.
    pub from: SocketAddr,
}

/// Another member, which answers only questions about roots: the test decides which root it has,
/// and since when.
#[derive(Clone)]
pub struct Peer {
    pub url: Url,
    signer: LocalSigner,
    words: Arc<Mutex<Words>>,
}

impl Peer {
    /// A member with this key.
    pub async fn start(signer: LocalSigner) -> Self {
        let words = Arc::<Mutex<Words>>::default();
        let routes = Router::new()
            .route("/v1/leases/{id}/roots/{epoch}", get(root))
            .route("/v1/roots", post(take))
            .with_state(Arc::clone(&words));
        Self { url: format!("http://{}/", listen(routes).await).parse().unwrap(), signer, words }
    }

    pub fn seat(&self) -> SeatView {
        SeatView { key: self.signer.address(), url: Some(self.url.clone()) }
    }

    /// What it signs for a root that came at `received`.
    pub fn receipt(&self, terms: &Terms, root: &SignedEpochRoot, received: UnixMillis) -> RootReceipt {
        let signature = self.signer.sign(&root_receipt_digest(terms, &root.root, received)).unwrap();
        RootReceipt { received, in_time: true, signature }
    }

    /// It shows this root with what it signed for it.
    pub fn has(&self, terms: &Terms, root: &SignedEpochRoot, received: UnixMillis) {
        let receipts = vec![self.receipt(terms, root, received)];
        self.says(RootView { received, in_time: true, root: root.clone(), rival: None, receipts });
    }

    pub fn says(&self, root: RootView) {
        self.words.lock().unwrap().root = Some(root);
    }

    /// It gives no answers from now on.
    pub fn hangs(&self) {
        self.words.lock().unwrap().hangs = true;
    }

    /// All questions it got, in order.
    pub fn questions(&self) -> Vec<Question> {
        self.words.lock().unwrap().asked.clone()
    }

    /// The number of questions it got.
    pub fn asked(&self) -> usize {
        self.questions().len()
    }
}

async fn root(
    State(words): State<Arc<Mutex<Words>>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path((lease, _)): Path<(u64, u32)>,
) -> Response {
    let (hangs, root) = {
        let mut words = words.lock().unwrap();
        words.asked.push(Question { lease, from });
        (words.hangs, words.root.clone())
    };
    if hangs {
        futures::future::pending::<()>().await;
    }
    match root {
        Some(root) => Json(root).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// It takes no root from another member.
async fn take(State(words): State<Arc<Mutex<Words>>>) -> Response {
    let hangs = words.lock().unwrap().hangs;
    if hangs {
        futures::future::pending::<()>().await;
    }
    StatusCode::CONFLICT.into_response()
}
