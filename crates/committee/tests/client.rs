//! The client of a member's API, against members that answer as they like.
#![allow(clippy::unwrap_used, missing_docs)]

use hashlease_committee::{ClientError, MemberClient};
use hashlease_net::{HttpClient, HttpError, Tcp};
use hashlease_primitives::{EpochId, LeaseId};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

const EPOCH: EpochId = EpochId::new(LeaseId(1), 0);

/// A member that answers its first request with these bytes, and goes on with spaces without end
/// if it floods.
async fn member(answer: &'static str, floods: bool) -> MemberClient {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 4_096]).await.unwrap() > 0);
        stream.write_all(answer.as_bytes()).await.unwrap();
        while floods && stream.write_all(&[b' '; 65_536]).await.is_ok() {}
    });
    MemberClient::new(url, HttpClient::new(Tcp::shared()))
}

#[tokio::test]
async fn an_answer_without_end_is_read_up_to_a_limit() {
    let endless = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[";
    let answer = member(endless, true).await.statement(EPOCH).await;
    let too_long = |answer: &ClientError, limit| matches!(answer, ClientError::Unreachable { source: HttpError::BodyTooLong { most }, .. } if *most == limit);
    let error = answer.unwrap_err();
    assert!(too_long(&error, 8 << 20), "{error}");
    let error = member(endless, true).await.root(EPOCH).await.unwrap_err();
    assert!(too_long(&error, 2 << 20), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_may_end() {
    let answer = "HTTP/1.1 307 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let error = member(answer, false).await.statement(EPOCH).await.unwrap_err();
    assert!(matches!(error, ClientError::Status { status: 307, .. }), "{error}");
    assert!(error.is_temporary());
}

#[tokio::test]
async fn an_answer_of_another_kind_is_final() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    let error = member(answer, false).await.root(EPOCH).await.unwrap_err();
    assert!(matches!(error, ClientError::Answer { .. }) && !error.is_temporary(), "{error}");
    assert!(error.to_string().contains("gave an unexpected answer: missing field"), "{error}");
}
