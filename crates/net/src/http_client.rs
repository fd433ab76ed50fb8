//! An HTTP client over a network that is handed in.
//!
//! The other side is a stranger: everything that it decides has a limit. It can't send the client
//! to another host, because no redirect is followed. No error contains a URL, which may carry
//! secrets.

use crate::{
    SharedNetwork,
    http_connector::{ConnectError, Connector},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Uri,
    body::{Body as _, Bytes, Incoming},
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    http::uri::InvalidUri,
};
use hyper_util::{
    client::legacy::{self, Client},
    rt::{TokioExecutor, TokioTimer},
};
use percent_encoding::percent_decode_str;
use std::{error::Error, iter, pin::Pin, time::Duration};
use tokio::time::{Sleep, sleep};
use url::Url;

/// Longest header of an answer, bytes.
const MAX_HEADER: usize = 64 << 10;
/// Idle connections that are kept for each host.
const MAX_IDLE: usize = 4;
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Limits on one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// Longest time from the request to the end of the answer, connecting included.
    pub time: Duration,
    /// Longest body of the answer, bytes.
    pub body: u64,
}

/// Why there is no complete answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The URL is not of HTTP.
    #[error("URL has the scheme {0}: expected http or https")]
    Scheme(String),
    /// The URL has characters that HTTP does not allow.
    #[error("URL: {0}")]
    Url(InvalidUri),
    /// There is no connection.
    #[error("{0}")]
    Connect(ConnectError),
    /// The connection ends before the answer's header is complete, or what comes is not HTTP.
    #[error("{}", causes(.0.source().unwrap_or(.0)))]
    Exchange(legacy::Error),
    /// The connection ends before the answer's body is complete, or what comes is not HTTP.
    #[error("{}", causes(.0))]
    Body(hyper::Error),
    /// The answer's header is too long.
    #[error("answer's header is longer than {most} bytes")]
    HeaderTooLong {
        /// Longest header, bytes.
        most: usize,
    },
    /// The answer's body is too long.
    #[error("answer is longer than {most} bytes")]
    BodyTooLong {
        /// Longest body, bytes.
        most: u64,
    },
    /// The exchange takes too long.
    #[error("no complete answer within {0:?}")]
    Slow(Duration),
}

impl From<legacy::Error> for HttpError {
    fn from(error: legacy::Error) -> Self {
        let source = error.source();
        if let Some(connect) = source.and_then(|source| source.downcast_ref::<ConnectError>()) {
            return Self::Connect(connect.clone());
        }
        match source.and_then(|source| source.downcast_ref::<hyper::Error>()) {
            Some(error) if error.is_parse_too_large() => Self::HeaderTooLong { most: MAX_HEADER },
            _ => Self::Exchange(error),
        }
    }
}

/// An error's text with those of its causes: hyper's errors don't contain them.
fn causes(error: &(dyn Error + 'static)) -> String {
    let all = iter::successors(Some(error), |error| (**error).source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// Whether the status is one of success.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        is_success(self.status)
    }
}

const fn is_success(status: u16) -> bool {
    matches!(status, 200..=299)
}

/// A client whose clones share their connections.
#[derive(Clone, Debug)]
pub struct HttpClient(Client<Connector, Full<Bytes>>);

impl HttpClient {
    /// A client that keeps a few connections to each host for its next requests.
    #[must_use]
    pub fn new(network: SharedNetwork) -> Self {
        Self::keeping(MAX_IDLE, network)
    }

    /// A client that opens a connection for each request, for hosts that are rarely asked: no
    /// request fails because a host just ended an idle connection.
    #[must_use]
    pub fn keeping_none(network: SharedNetwork) -> Self {
        Self::keeping(0, network)
    }

    fn keeping(idle: usize, network: SharedNetwork) -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .pool_max_idle_per_host(idle)
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(MAX_HEADER);
        Self(builder.build(Connector::new(network)))
    }

    /// Asks for `url`.
    ///
    /// # Errors
    /// [`HttpError`]; no status is an error.
    pub async fn get(&self, url: &Url, limits: HttpLimits) -> Result<HttpAnswer, HttpError> {
        self.send(url, None, limits).await?.whole().await
    }

    /// Posts a JSON text to `url`.
    ///
    /// # Errors
    /// [`HttpError`]; no status is an error.
    pub async fn post_json(
        &self,
        url: &Url,
        json: Vec<u8>,
        limits: HttpLimits,
    ) -> Result<HttpAnswer, HttpError> {
        self.send(url, Some(json), limits).await?.whole().await
    }

    /// Asks for `url`, whose body is read piece by piece.
    ///
    /// # Errors
    /// [`HttpError`]; no status is an error.
    pub async fn download(&self, url: &Url, limits: HttpLimits) -> Result<HttpDownload, HttpError> {
        self.send(url, None, limits).await
    }

    async fn send(
        &self,
        url: &Url,
        json: Option<Vec<u8>>,
        limits: HttpLimits,
    ) -> Result<HttpDownload, HttpError> {
        let request = request(url, json)?;
        let mut deadline = Box::pin(sleep(limits.time));
        let response = tokio::select! {
            response = self.0.request(request) => response?,
            () = deadline.as_mut() => return Err(HttpError::Slow(limits.time)),
        };
        let (status, body) = (response.status().as_u16(), response.into_body());
        Ok(HttpDownload { status, body, left: limits.body, limits, deadline })
    }
}

/// A request to get a URL, or to post a JSON text to it.
fn request(url: &Url, json: Option<Vec<u8>>) -> Result<Request<Full<Bytes>>, HttpError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(HttpError::Scheme(url.scheme().to_owned()));
    }
    let mut bare = url.clone();
    // a URL with a host can be without credentials
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    let uri: Uri = bare.as_str().parse().map_err(HttpError::Url)?;
    let posts = json.is_some();
    let mut request = Request::new(Full::from(json.unwrap_or_default()));
    *request.uri_mut() = uri;
    if posts {
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(credentials) = credentials(url) {
        request.headers_mut().insert(AUTHORIZATION, credentials);
    }
    Ok(request)
}

/// Name and password of a URL, as the host expects them (basic authentication).
fn credentials(url: &Url) -> Option<HeaderValue> {
    let (name, password) = (url.username(), url.password());
    if name.is_empty() && password.is_none() {
        return None;
    }
    let decoded = |text| percent_decode_str(text).collect::<Vec<u8>>();
    let both = [decoded(name), b":".to_vec(), decoded(password.unwrap_or_default())].concat();
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(both))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// An answer whose body is read piece by piece. Dropping it early ends its connection.
#[derive(Debug)]
pub struct HttpDownload {
    status: u16,
    body: Incoming,
    /// Bytes that may still come.
    left: u64,
    limits: HttpLimits,
    deadline: Pin<Box<Sleep>>,
}

impl HttpDownload {
    /// HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is one of success.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        is_success(self.status)
    }

    /// The next piece of the body, or `None` after the last one. A body whose announced length is
    /// above the limit is not read at all.
    ///
    /// # Errors
    /// [`HttpError`].
    pub async fn piece(&mut self) -> Result<Option<Bytes>, HttpError> {
        let too_long = HttpError::BodyTooLong { most: self.limits.body };
        if self.body.size_hint().lower() > self.left {
            return Err(too_long);
        }
        loop {
            let frame = tokio::select! {
                // the deadline comes first, because a fast host may always have a piece ready
                biased;
                () = self.deadline.as_mut() => return Err(HttpError::Slow(self.limits.time)),
                frame = self.body.frame() => frame,
            };
            let Some(frame) = frame else { return Ok(None) };
            // trailers are skipped
            let Ok(piece) = frame.map_err(HttpError::Body)?.into_data() else { continue };
            // a length in memory fits 64 bits; a larger one would only exceed the limit
            let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            let Some(left) = self.left.checked_sub(length) else { return Err(too_long) };
            self.left = left;
            return Ok(Some(piece));
        }
    }

    async fn whole(mut self) -> Result<HttpAnswer, HttpError> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await? {
            body.extend_from_slice(&piece);
        }
        Ok(HttpAnswer { status: self.status, body })
    }
}
