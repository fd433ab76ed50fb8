//! The server's accept loop and session loop, over real sockets and pipes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::arithmetic_side_effects)]

use hashlease_stratum::{
    Answer, Dialect, LineError, LineLimits, MinerRequest, Received, Rejection, V1,
    server::{
        AcceptOptions, AnswerOrder, PendingAnswer, Reply, ServerSession, SessionEnd, SessionLimits, accept,
        serve,
    },
};
use std::{
    collections::VecDeque,
    future::pending,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{sleep, timeout},
};

/// A timeout so long that only a failing test reaches it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a test waits to see that nothing happens.
const QUIET: Duration = Duration::from_millis(50);

async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("never: {what}"))
}

/// A session whose verdicts on shares the test controls.
struct Script {
    /// Verdicts of the shares, in the order of the shares.
    verdicts: VecDeque<oneshot::Receiver<()>>,
    events: mpsc::UnboundedReceiver<Reply>,
    shares: Arc<AtomicUsize>,
    idle: Duration,
}

impl ServerSession for Script {
    fn dialect(&self) -> &dyn Dialect {
        &V1
    }

    fn receive(&mut self, received: Received) -> Reply {
        let Received::Request { id, request } = received else { return SessionEnd::Malformed(1).into() };
        match request {
            MinerRequest::Submit(_) => {
                self.shares.fetch_add(1, Ordering::SeqCst);
                let verdict = self.verdicts.pop_front().expect("a verdict for every share");
                let answer: PendingAnswer = Box::pin(async move {
                    let rejection = Rejection::named("unknown-job");
                    (id, if verdict.await.is_ok() { Answer::Accepted } else { Answer::Rejected(rejection) })
                });
                Reply::pending(answer)
            }
            MinerRequest::Ping => V1.answer(&id, &Answer::Pong).into(),
            _ => Reply::from(V1.answer(&id, &Answer::EmptyList)).ending(SessionEnd::LeaseOver),
        }
    }

    async fn next_event(&mut self) -> Reply {
        match self.events.recv().await {
            Some(reply) => reply,
            None => pending().await,
        }
    }

    fn idle(&self) -> Duration {
        self.idle
    }
}

/// The peer's end of a running session.
struct World {
    peer: BufReader<DuplexStream>,
    /// One sender per verdict: sending accepts the share, dropping refuses it.
    verdicts: VecDeque<oneshot::Sender<()>>,
    events: mpsc::UnboundedSender<Reply>,
    shares: Arc<AtomicUsize>,
    session: JoinHandle<SessionEnd>,
}

fn limits(order: AnswerOrder) -> SessionLimits {
    SessionLimits {
        lines: LineLimits { length: 256, ..LineLimits::default() },
        answers_in_flight: 3,
        write: PATIENCE,
        order,
    }
}

fn start(limits: SessionLimits, idle: Duration) -> World {
    let (peer, here) = tokio::io::duplex(4_096);
    let (reader, writer) = tokio::io::split(here);
    let (senders, receivers) = (0..8).map(|_| oneshot::channel()).unzip();
    let (events, received) = mpsc::unbounded_channel();
    let shares = Arc::new(AtomicUsize::new(0));
    let mut script = Script { verdicts: receivers, events: received, shares: Arc::clone(&shares), idle };
    let session = tokio::spawn(async move { serve(reader, writer, &mut script, limits).await });
    World { peer: BufReader::new(peer), verdicts: senders, events, shares, session }
}

fn share(id: usize) -> String {
    format!(
        "{{\"id\":{id},\"method\":\"mining.submit\",\"params\":[\"w\",\"1\",\"00\",\"00000000\",\"00000000\"]}}\n"
    )
}

impl World {
    async fn send(&mut self, text: &str) {
        self.peer.write_all(text.as_bytes()).await.unwrap();
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        patiently("a line of the server", self.peer.read_line(&mut line)).await.unwrap();
        line
    }

    /// All text up to the connection's end, and the reason for the end.
    async fn rest(mut self) -> (String, SessionEnd) {
        let mut text = String::new();
        patiently("the end", self.peer.read_to_string(&mut text)).await.unwrap();
        (text, self.session.await.unwrap())
    }

    async fn shares(&self, count: usize) {
        patiently("the shares are read", async {
            while self.shares.load(Ordering::SeqCst) < count {
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }
}

fn accepted(id: usize) -> String {
    format!("{{\"id\":{id},\"result\":true,\"error\":null}}\n")
}

#[tokio::test]
async fn no_line_is_read_while_as_many_answers_as_allowed_are_pending() {
    for order in [AnswerOrder::AsRequested, AnswerOrder::AsReady] {
        let mut world = start(limits(order), PATIENCE);
        world.send(&(0..5).map(share).collect::<String>()).await;
        world.shares(3).await;
        sleep(QUIET).await;
        assert_eq!(world.shares.load(Ordering::SeqCst), 3, "{order:?}: the limit is 3");
        // events are still sent meanwhile
        world.events.send("event\n".to_owned().into()).unwrap();
        assert_eq!(world.line().await, "event\n");
        world.verdicts.pop_front().unwrap().send(()).unwrap();
        assert_eq!(world.line().await, accepted(0));
        world.shares(4).await;
        sleep(QUIET).await;
        assert_eq!(world.shares.load(Ordering::SeqCst), 4, "{order:?}: one answer makes room for one share");
    }
}

#[tokio::test]
async fn answers_arrive_in_the_order_of_the_shares_or_as_they_are_ready() {
    for (order, expected) in [(AnswerOrder::AsRequested, [0, 1]), (AnswerOrder::AsReady, [1, 0])] {
        let mut world = start(limits(order), PATIENCE);
        world.send(&(0..2).map(share).collect::<String>()).await;
        world.shares(2).await;
        let (first, second) = (world.verdicts.pop_front().unwrap(), world.verdicts.pop_front().unwrap());
        second.send(()).unwrap();
        sleep(QUIET).await;
        first.send(()).unwrap();
        assert_eq!([world.line().await, world.line().await], expected.map(accepted), "{order:?}");
    }
}

#[tokio::test]
async fn shares_before_the_end_are_answered_in_order() {
    // the session's own last message, and a peer that only closes its sending side
    for last in [Some("{\"id\":9,\"method\":\"mining.get_transactions\"}\n"), None] {
        let mut world = start(limits(AnswerOrder::AsRequested), PATIENCE);
        world.send(&(0..2).map(share).collect::<String>()).await;
        world.shares(2).await;
        match last {
            Some(line) => {
                world.send(line).await;
                assert_eq!(world.line().await, "{\"id\":9,\"result\":[],\"error\":null}\n");
            }
            None => world.peer.get_mut().shutdown().await.unwrap(),
        }
        sleep(QUIET).await;
        assert!(!world.session.is_finished(), "two answers are pending");
        world.verdicts.remove(1).unwrap().send(()).unwrap();
        world.verdicts.pop_front().unwrap().send(()).unwrap();
        let (text, end) = world.rest().await;
        assert_eq!(text, [accepted(0), accepted(1)].concat());
        assert_eq!(end.code(), if last.is_some() { "lease-over" } else { "closed-by-peer" });
    }
}

#[tokio::test]
async fn verdicts_that_may_never_arrive_do_not_hold_up_the_end() {
    let mut world = start(limits(AnswerOrder::AsReady), PATIENCE);
    world.send(&share(0)).await;
    world.shares(1).await;
    world.peer.get_mut().shutdown().await.unwrap();
    let mut verdicts = std::mem::take(&mut world.verdicts);
    let (text, end) = world.rest().await;
    assert_eq!((text.as_str(), end.code()), ("", "closed-by-peer"));
    assert!(verdicts.pop_front().unwrap().is_closed(), "the session still waits for the verdict");
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_dropped() {
    let write = Duration::from_millis(100);
    let mut world = start(SessionLimits { write, ..limits(AnswerOrder::AsRequested) }, PATIENCE);
    // more than the pipe holds
    world.events.send("x".repeat(10_000).into()).unwrap();
    let end = patiently("the session ends", &mut world.session).await.unwrap();
    assert!(matches!(end, SessionEnd::NotReading(limit) if limit == write), "{end}");
    assert_eq!(end.code(), "not-reading");
}

#[tokio::test]
async fn every_end_has_its_type_code_and_words() {
    for (sent, code, words) in [
        ("GET / HTTP/1.1\n", "not-stratum", "does not speak Stratum"),
        ("\u{16}\u{3}\u{1}", "tls", "TLS"),
        ("{\"id\":1,\"method\":\"mining.authorize\",\"params\":[]}\n", "malformed", "malformed requests"),
        ("{\"id\":1,\"method\":\"mining.get_version\"}\n", "lease-over", "lease is over"),
    ] {
        let mut world = start(limits(AnswerOrder::AsRequested), PATIENCE);
        world.send(sent).await;
        let (_, end) = world.rest().await;
        assert_eq!(end.code(), code, "{sent:?}");
        assert!(end.to_string().contains(words), "{sent:?}: {end}");
    }
    let mut world = start(limits(AnswerOrder::AsRequested), PATIENCE);
    world.send(&"x".repeat(300)).await;
    let (_, end) = world.rest().await;
    assert!(matches!(end, SessionEnd::Line(LineError::TooLong(256))), "{end}");
    // the session's own idle time, not that in the limits
    let (_, end) = start(limits(AnswerOrder::AsRequested), QUIET).rest().await;
    assert!(matches!(end, SessionEnd::Line(LineError::Idle(QUIET))), "{end}");
    let world = start(limits(AnswerOrder::AsRequested), PATIENCE);
    world.events.send(Reply::from("bye\n".to_owned()).ending(SessionEnd::ShuttingDown)).unwrap();
    let (text, end) = world.rest().await;
    assert_eq!((text.as_str(), end.code()), ("bye\n", "shutting-down"));
}

#[test]
fn nothing_follows_the_end_of_a_reply() {
    let reply = Reply::from("a".to_owned()).then(Reply::from("b".to_owned()).ending(SessionEnd::LeaseOver));
    let reply = reply.then("c".to_owned().into()).ending(SessionEnd::NoActiveLease);
    assert_eq!((reply.text.as_str(), reply.end.unwrap().code()), ("ab", "lease-over"));
}

/// A listener that greets, waits for the peer to close, and counts ended sessions.
async fn listen(
    max_connections: usize,
    max_per_address: usize,
    farewell: Duration,
) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let options = AcceptOptions { peers: "tests", max_connections, max_per_address, farewell };
    let accepting = tokio::spawn(async move {
        let stop = async {
            stopped.await.unwrap();
        };
        accept(Box::new(listener), options, stop, |mut stream, _| async move {
            stream.write_all(b"hello\n").await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        })
        .await;
    });
    (address, stop, accepting)
}

/// The greeting on a new connection; empty when the connection was refused.
async fn connect(address: SocketAddr) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut greeting = [0; 6];
    let read = patiently("a greeting or the end", stream.read(&mut greeting)).await.unwrap_or(0);
    (stream, String::from_utf8_lossy(&greeting[..read]).into_owned())
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_until_one_ends() {
    let (address, _stop, _accepting) = listen(2, 2, Duration::ZERO).await;
    let (first, greeting) = connect(address).await;
    assert_eq!(greeting, "hello\n");
    let (_second, greeting) = connect(address).await;
    assert_eq!(greeting, "hello\n");
    for _ in 0..3 {
        let (_refused, greeting) = connect(address).await;
        assert_eq!(greeting, "", "two are connected already");
    }
    drop(first);
    patiently("there is room again", async {
        while connect(address).await.1.is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// The greeting on a new connection from another address of this machine.
async fn connect_from(from: [u8; 4], address: SocketAddr) -> (TcpStream, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let mut greeting = [0; 6];
    let read = patiently("a greeting or the end", stream.read(&mut greeting)).await.unwrap_or(0);
    (stream, String::from_utf8_lossy(&greeting[..read]).into_owned())
}

#[tokio::test]
async fn one_address_does_not_take_all_connections() {
    let (address, _stop, _accepting) = listen(5, 2, Duration::ZERO).await;
    let first = connect_from([127, 0, 0, 1], address).await;
    let _second = connect_from([127, 0, 0, 1], address).await;
    assert_eq!(connect_from([127, 0, 0, 1], address).await.1, "", "two of this address are connected");
    assert_eq!(connect_from([127, 0, 0, 2], address).await.1, "hello\n", "another address has its own");
    drop(first);
    patiently("there is room again", async {
        while connect_from([127, 0, 0, 1], address).await.1.is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_stopped_server_waits_for_its_sessions_but_not_forever() {
    // the session ends in time
    let (address, stop, accepting) = listen(2, 2, PATIENCE).await;
    let (peer, _) = connect(address).await;
    stop.send(()).unwrap();
    patiently("it no longer listens", async {
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(!accepting.is_finished(), "one session is left");
    drop(peer);
    patiently("the last session ended", accepting).await.unwrap();
    // the session does not end
    let (address, stop, accepting) = listen(2, 2, QUIET).await;
    let (mut peer, _) = connect(address).await;
    stop.send(()).unwrap();
    patiently("it gives up", accepting).await.unwrap();
    let mut rest = Vec::new();
    let ended = patiently("the session was dropped", peer.read_to_end(&mut rest)).await;
    assert!(ended.is_err() || rest.is_empty());
}
