//! Blocking queries: what wakes them and what does not.

use std::pin::Pin;
use std::time::Duration;

use archive::testing::Builder;
use tokio::time::timeout;

use super::server::{Answer, Server};

/// A request that has not been answered for this long is taken to be waiting.
const PATIENCE: Duration = Duration::from_millis(100);

/// Longer than any of the tests may take.
const LONG: Duration = Duration::from_secs(30);

type Pending<'a> = Pin<Box<dyn Future<Output = Answer> + 'a>>;

async fn check_waits(pending: &mut Pending<'_>) {
    assert!(timeout(PATIENCE, pending).await.is_err(), "it was answered at once");
}

async fn answer(pending: Pending<'_>) -> Answer {
    timeout(LONG, pending).await.expect("it was never woken")
}

async fn waiting<'a>(server: &'a Server, uri: &str) -> (Pending<'a>, u64) {
    let index = server.get(uri).await.index();
    let separator = if uri.contains('?') { '&' } else { '?' };
    let uri = format!("{uri}{separator}index={index}");
    let mut pending: Pending = Box::pin(async move { server.get(&uri).await });
    check_waits(&mut pending).await;
    (pending, index)
}

#[tokio::test]
async fn a_change_of_the_key_wakes_and_one_of_another_does_not() {
    let server = Server::start().await;
    server.put("k", "1").await;
    let (mut pending, index) = waiting(&server, "/v1/kv/k?raw").await;
    server.put("other", "x").await;
    check_waits(&mut pending).await;
    server.put("k", "2").await;
    let answer = answer(pending).await;
    assert_eq!(answer.text(), "2");
    assert!(answer.index() > index);
}

#[tokio::test]
async fn a_change_below_the_prefix_wakes_a_listing() {
    let server = Server::start().await;
    server.put("a/1", "1").await;
    for uri in ["/v1/kv/a/?recurse", "/v1/kv/a/?keys"] {
        let (mut pending, index) = waiting(&server, uri).await;
        server.put("b/1", &format!("for {uri}")).await;
        check_waits(&mut pending).await;
        server.put("a/1", &format!("for {uri}")).await;
        assert!(answer(pending).await.index() > index);
    }
    let (pending, index) = waiting(&server, "/v1/kv/a/?keys").await;
    server.send("DELETE /v1/kv/a/1", "").await;
    let answer = answer(pending).await;
    assert_eq!(answer.status.as_u16(), 404);
    assert!(answer.index() > index);
}

#[tokio::test]
async fn who_waits_for_a_missing_key_is_woken_by_that_key_alone() {
    let server = Server::start().await;
    server.put("other", "1").await;
    let (mut pending, _) = waiting(&server, "/v1/kv/k").await;
    server.put("other", "2").await;
    check_waits(&mut pending).await;
    server.put("k", "1").await;
    assert_eq!(answer(pending).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_restore_wakes_with_an_index_above_all_before() {
    let server = Server::start().await;
    for n in 0..20 {
        server.put("k", &n.to_string()).await;
    }
    let archive = Builder::new(3).key("k", b"old", 3).archive();
    let (there, index) = waiting(&server, "/v1/kv/k?raw").await;
    let (missing, _) = waiting(&server, "/v1/kv/missing").await;
    assert_eq!(server.restore(archive).await.status.as_u16(), 200);
    let (there, missing) = (answer(there).await, answer(missing).await);
    assert_eq!(there.text(), "old");
    assert!(there.index() > index && missing.index() > index);
    // Who comes back with the index it was given waits again.
    let uri = format!("/v1/kv/k?index={}", there.index());
    check_waits(&mut (Box::pin(async { server.get(&uri).await }) as Pending)).await;
}

#[tokio::test]
async fn when_the_time_is_up_the_answer_is_the_same() {
    let server = Server::start().await;
    server.put("k", "1").await;
    let before = server.get("/v1/kv/k").await;
    let uri = format!("/v1/kv/k?index={}&wait=20ms", before.index());
    let after = timeout(LONG, server.get(&uri)).await.unwrap();
    assert_eq!((after.index(), &after.body), (before.index(), &before.body));
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_answers_those_who_wait() {
    let server = Server::start().await;
    server.put("k", "1").await;
    let (pending, index) = waiting(&server, "/v1/kv/k?raw").await;
    server.node.begin_shutdown();
    let answer = answer(pending).await;
    assert_eq!((answer.text(), answer.index()), ("1", index));
}

#[tokio::test]
async fn an_index_that_is_past_already_is_answered_at_once() {
    let server = Server::start().await;
    server.put("k", "1").await;
    let index = server.get("/v1/kv/k").await.index();
    for uri in [format!("/v1/kv/k?index={}", index - 1), "/v1/kv/k?index=0".to_owned()] {
        assert_eq!(timeout(LONG, server.get(&uri)).await.unwrap().index(), index);
    }
}

#[tokio::test]
async fn no_answer_has_index_zero() {
    let server = Server::start().await;
    for uri in ["/v1/kv/k", "/v1/kv/?recurse", "/v1/kv/?keys", "/v1/snapshot"] {
        assert!(server.get(uri).await.index() > 0, "{uri}");
    }
}
