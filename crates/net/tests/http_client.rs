//! The HTTP client against hosts in memory that break every limit.
#![allow(clippy::unwrap_used, missing_docs)]

use hashlease_net::{
    ConnectError, HttpAnswer, HttpClient, HttpDownload, HttpError, HttpLimits, Listener, Network, Pending,
    Stream,
};
use std::{
    future::pending,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::io::{
    AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, duplex,
};
use url::Url;

const LIMITS: HttpLimits = HttpLimits { time: Duration::from_secs(20), body: 1_000 };
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What a host does once it has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It waits for the next request.
    Listen,
    End,
    Hang,
    /// It sends zeros without end.
    Flood,
}

/// The network's only host: it has every name, and one answer.
#[derive(Clone, Debug)]
struct Host {
    answer: Vec<u8>,
    then: Then,
    /// It speaks first.
    hasty: bool,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Where each connection was meant to go.
    connections: Vec<String>,
    /// Each request's header and body.
    requests: Vec<String>,
}

impl Host {
    fn new(answer: impl Into<Vec<u8>>, then: Then) -> Self {
        Self { answer: answer.into(), then, hasty: false, seen: Arc::default() }
    }

    fn client(&self) -> HttpClient {
        HttpClient::new(Arc::new(self.clone()))
    }

    fn connections(&self) -> Vec<String> {
        self.seen.lock().unwrap().connections.clone()
    }

    fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }

    async fn get(&self, limits: HttpLimits) -> Result<HttpAnswer, HttpError> {
        self.client().get(&url("http://host/"), limits).await
    }

    async fn serve(self, stream: DuplexStream) {
        let mut stream = BufReader::new(stream);
        loop {
            if !self.hasty {
                let Some(request) = read_request(&mut stream).await else { return };
                self.seen.lock().unwrap().requests.push(request);
            }
            if stream.write_all(&self.answer).await.is_err() {
                return;
            }
            match self.then {
                Then::Listen => {}
                Then::End => return,
                Then::Hang => pending().await,
                Then::Flood => while stream.write_all(&[b'0'; 4_096]).await.is_ok() {},
            }
        }
    }
}

impl Network for Host {
    fn listen(&self, _: SocketAddr) -> Pending<'_, Box<dyn Listener>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn connect<'a>(&'a self, address: &'a str) -> Pending<'a, Stream> {
        Box::pin(async move {
            self.seen.lock().unwrap().connections.push(address.to_owned());
            if address.starts_with("nowhere") {
                return Err(io::Error::other("no such host"));
            }
            if address.starts_with("silent") {
                return pending().await;
            }
            let (ours, theirs) = duplex(65_536);
            tokio::spawn(self.clone().serve(theirs));
            let stream: Stream = Box::new(ours);
            Ok(stream)
        })
    }
}

async fn read_request(stream: &mut BufReader<DuplexStream>) -> Option<String> {
    let (mut request, mut length) = (String::new(), 0);
    while !request.ends_with("\r\n\r\n") {
        let start = request.len();
        if stream.read_line(&mut request).await.ok()? == 0 {
            return None;
        }
        if let Some(value) = request[start..].strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    request.push_str(&String::from_utf8(body).unwrap());
    Some(request)
}

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

/// Reads a download to its end; the bytes that came.
async fn drain(mut download: HttpDownload) -> (usize, Result<(), HttpError>) {
    let mut came = 0;
    loop {
        match download.piece().await {
            Ok(Some(piece)) => came += piece.len(),
            Ok(None) => return (came, Ok(())),
            Err(error) => return (came, Err(error)),
        }
    }
}

#[tokio::test]
async fn a_request_says_what_is_asked_and_goes_where_the_url_points() {
    let host = Host::new(OK, Then::Listen);
    let client = host.client();
    let answer = client.get(&url("http://host:81/a/b?c=d#e"), LIMITS).await.unwrap();
    assert_eq!(answer, HttpAnswer { status: 200, body: b"ok".to_vec() });
    assert!(answer.is_success());
    client.post_json(&url("http://[::1]/job"), b"{\"a\":1}".to_vec(), LIMITS).await.unwrap();
    assert_eq!(host.connections(), ["host:81", "[::1]:80"]);
    let requests = host.requests();
    assert_eq!(requests[0], "GET /a/b?c=d HTTP/1.1\r\nhost: host:81\r\n\r\n");
    let header =
        "POST /job HTTP/1.1\r\ncontent-type: application/json\r\nhost: [::1]\r\ncontent-length: 7\r\n\r\n";
    assert_eq!(requests[1], format!("{header}{{\"a\":1}}"));
}

#[tokio::test]
async fn a_connection_is_used_again_unless_none_is_kept() {
    let host = Host::new(OK, Then::Listen);
    let client = host.client();
    for _ in 0..3 {
        client.clone().get(&url("http://host/"), LIMITS).await.unwrap();
    }
    assert_eq!((host.connections().len(), host.requests().len()), (1, 3));
    let host = Host::new(OK, Then::Listen);
    let client = HttpClient::keeping_none(Arc::new(host.clone()));
    for _ in 0..3 {
        client.get(&url("http://host/"), LIMITS).await.unwrap();
    }
    assert_eq!((host.connections().len(), host.requests().len()), (3, 3));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let answer = "HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\ncontent-length: 0\r\n\r\n";
    let host = Host::new(answer, Then::Listen);
    let answer = host.get(LIMITS).await.unwrap();
    assert_eq!((answer.status, answer.is_success()), (302, false));
    assert_eq!(host.connections(), ["host:80"]);
}

#[tokio::test]
async fn every_part_of_an_exchange_counts_towards_its_time() {
    let limits = HttpLimits { time: Duration::from_millis(50), body: u64::MAX };
    let slow = |error: &HttpError| {
        assert!(matches!(error, HttpError::Slow(_)), "{error:?}");
        assert_eq!(error.to_string(), "no complete answer within 50ms");
    };
    // no connection, no header, half a body
    let host = Host::new("", Then::Hang);
    slow(&host.client().get(&url("http://silent/"), limits).await.unwrap_err());
    slow(&host.get(limits).await.unwrap_err());
    let host = Host::new("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", Then::Hang);
    slow(&host.get(limits).await.unwrap_err());
    // a body that never ends, each piece of which is there at once
    let host = Host::new("HTTP/1.1 200 OK\r\n\r\n", Then::Flood);
    let download = host.client().download(&url("http://host/"), limits).await.unwrap();
    let (came, end) = drain(download).await;
    slow(&end.unwrap_err());
    assert!(came > 0);
}

#[tokio::test]
async fn a_header_ends_at_a_limit() {
    let of = |length| format!("HTTP/1.1 200 OK\r\na: {}\r\ncontent-length: 0\r\n\r\n", "b".repeat(length));
    Host::new(of(65_000), Then::Listen).get(LIMITS).await.unwrap();
    let long = Host::new(of(65_536), Then::Listen);
    let hosts = ["HTTP/1.1 200 OK\r\na: ", "HTTP/1.1 200 "].map(|begin| Host::new(begin, Then::Flood));
    for host in hosts.into_iter().chain([long]) {
        let error = host.get(LIMITS).await.unwrap_err();
        assert!(matches!(error, HttpError::HeaderTooLong { most: 65_536 }), "{error:?}");
        assert_eq!(error.to_string(), "answer's header is longer than 65536 bytes");
    }
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101));
    let error = Host::new(many, Then::Hang).get(LIMITS).await.unwrap_err();
    assert!(matches!(error, HttpError::HeaderTooLong { .. }), "{error:?}");
}

#[tokio::test]
async fn a_body_ends_at_its_limit() {
    let too_long = |error: &HttpError| {
        assert!(matches!(error, HttpError::BodyTooLong { most: 1_000 }), "{error:?}");
        assert_eq!(error.to_string(), "answer is longer than 1000 bytes");
    };
    for (status, length) in [(200, 1_000), (500, 1_000)] {
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{}", "0".repeat(length));
        let answer = Host::new(answer, Then::Listen).get(LIMITS).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (status, length));
        // nothing of a body that announces itself as too long is waited for
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", length + 1);
        too_long(&Host::new(answer, Then::Hang).get(LIMITS).await.unwrap_err());
    }
    // without an announced length, and in chunks
    too_long(&Host::new("HTTP/1.1 200 OK\r\n\r\n", Then::Flood).get(LIMITS).await.unwrap_err());
    let chunks = format!("3e8\r\n{}\r\n1\r\n0\r\n", "0".repeat(1_000));
    let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}");
    let host = Host::new(answer, Then::Hang);
    too_long(&host.get(LIMITS).await.unwrap_err());
    let download = host.client().download(&url("http://host/"), LIMITS).await.unwrap();
    assert_eq!((download.status(), download.is_success()), (200, true));
    let (came, end) = drain(download).await;
    too_long(&end.unwrap_err());
    assert_eq!(came, 1_000);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error() {
    let said = async |answer: &str| Host::new(answer, Then::End).get(LIMITS).await.unwrap_err();
    let header = said("HTTP/1.1 200 OK\r\ncontent-le").await;
    assert!(matches!(header, HttpError::Exchange(_)), "{header:?}");
    assert_eq!(header.to_string(), "connection closed before message completed");
    let none = said("").await;
    assert!(matches!(none, HttpError::Exchange(_)), "{none:?}");
    let other = said("SSH-2.0-OpenSSH\r\n").await;
    assert!(matches!(other, HttpError::Exchange(_)), "{other:?}");
    let body = said("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
    assert!(matches!(body, HttpError::Body(_)), "{body:?}");
    assert!(body.to_string().contains("end of file before message length reached"), "{body}");
    let chunk = said("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf").await;
    assert!(matches!(chunk, HttpError::Body(_)), "{chunk:?}");
}

#[tokio::test]
async fn the_networks_own_error_is_kept() {
    let host = Host::new(OK, Then::Listen);
    let error = host.client().get(&url("http://nowhere/"), LIMITS).await.unwrap_err();
    assert!(matches!(error, HttpError::Connect(ConnectError::Network(_))), "{error:?}");
    assert_eq!(error.to_string(), "no such host");
}

#[tokio::test]
async fn a_host_without_tls_is_told_from_one_that_ends_the_connection() {
    let mut host = Host::new("HTTP/1.1 400 Bad Request\r\n\r\n", Then::Hang);
    host.hasty = true;
    let error = host.client().get(&url("https://host/"), LIMITS).await.unwrap_err();
    assert!(matches!(error, HttpError::Connect(ConnectError::NotTls(_))), "{error:?}");
    assert!(error.to_string().starts_with("the host does not speak TLS: "), "{error}");
    assert_eq!(host.connections(), ["host:443"]);
    let mut host = Host::new("", Then::End);
    host.hasty = true;
    let error = host.client().get(&url("https://host/"), LIMITS).await.unwrap_err();
    assert!(matches!(error, HttpError::Connect(ConnectError::Handshake(_))), "{error:?}");
}

#[tokio::test]
async fn only_urls_of_http_are_asked_for() {
    let host = Host::new(OK, Then::Listen);
    let error = host.client().get(&url("ftp://host/"), LIMITS).await.unwrap_err();
    assert_eq!(error.to_string(), "URL has the scheme ftp: expected http or https");
    assert_eq!(host.connections().len(), 0);
}

#[tokio::test]
async fn secrets_of_a_url_reach_the_host_but_no_error() {
    let secret = |host: &str| url(&format!("http://us%40er:pass@{host}/a?token=t0ken#frag"));
    let host = Host::new(OK, Then::Listen);
    host.client().get(&secret("host"), LIMITS).await.unwrap();
    // the base64 of us@er:pass
    let request =
        "GET /a?token=t0ken HTTP/1.1\r\nauthorization: Basic dXNAZXI6cGFzcw==\r\nhost: host\r\n\r\n";
    assert_eq!(host.requests(), [request]);
    assert_eq!(host.connections(), ["host:80"]);

    let limits = HttpLimits { time: Duration::from_millis(50), body: 1 };
    let hosts = [(Then::End, ""), (Then::Hang, ""), (Then::Hang, OK), (Then::End, &OK[..20])];
    let mut errors = Vec::new();
    for (then, answer) in hosts {
        errors.push(Host::new(answer, then).client().get(&secret("host"), limits).await.unwrap_err());
    }
    errors.push(host.client().get(&secret("nowhere"), limits).await.unwrap_err());
    for error in errors {
        let text = format!("{error} {error:?}");
        assert!(
            !["us%40er", "us@er", "pass", "dXN", "t0ken", "frag"].iter().any(|secret| text.contains(secret)),
            "{text}"
        );
    }
}
