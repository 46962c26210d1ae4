//! Requests for other datacenters, over real sockets.

use std::net::SocketAddr;

use archive::testing::Builder;
use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::server::{Server, records_of};

/// Serves until the test ends.
async fn listen(routes: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, routes).into_future());
    address
}

/// A server in `dc1` that knows where `dc2` is, and the one that is there.
async fn two() -> (Server, Server) {
    let far = Server::with(|settings| settings.datacenter = "dc2".to_owned()).await;
    let address = listen(far.routes.clone()).await;
    (knowing(address).await, far)
}

async fn knowing(dc2: SocketAddr) -> Server {
    Server::with(|settings| {
        settings.datacenters.insert("dc2".to_owned(), format!("http://{dc2}/"));
    })
    .await
}

#[tokio::test]
async fn a_save_and_a_restore_reach_the_datacenter_that_is_named() {
    let (near, far) = two().await;
    near.put("k", "near").await;
    far.put("k", "far").await;

    let saved = near.get("/v1/snapshot?dc=dc2").await;
    assert_eq!(saved.header("content-type"), "application/x-gzip");
    assert_eq!(saved.index(), far.get("/v1/snapshot").await.index());
    assert_eq!(saved.body, far.save().await);

    let archive = Builder::new(5).key("k", b"restored", 5).archive();
    // `datacenter` wins over `dc`.
    let restored = near.send("PUT /v1/snapshot?dc=dc1&datacenter=dc2", archive).await;
    assert_eq!((restored.status, restored.header("content-type")), (StatusCode::OK, "text/plain"));
    assert_eq!(far.value("k").await.as_deref(), Some("restored"));
    assert_eq!(near.value("k").await.as_deref(), Some("near"));
}

#[tokio::test]
async fn errors_of_the_other_datacenter_are_passed_on() {
    let (near, _far) = two().await;
    let answer = near.send("PUT /v1/snapshot?dc=dc2", "this is no archive").await;
    answer.check(500, "failed to decompress snapshot: gzip: invalid header");
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    near.send("PUT /v1/snapshot?dc=dc2&stale", "").await.check(500, "stale not allowed for restore");
}

#[tokio::test]
async fn keys_are_reached_too() {
    let (near, far) = two().await;
    assert_eq!(near.send("PUT /v1/kv/a%2Fb%20c?dc=dc2&flags=7", "v").await.text(), "true");
    assert_eq!(near.get("/v1/kv/a%2Fb%20c?dc=dc2").await.body, far.get("/v1/kv/a/b%20c").await.body);
    assert_eq!(near.get("/v1/kv/a%2Fb%20c?dc=dc1").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn unknown_datacenters_and_circles_have_no_path() {
    let (near, _far) = two().await;
    for request in ["GET /v1/snapshot?dc=dc3", "PUT /v1/snapshot?dc=dc3&stale", "GET /v1/kv/k?dc=dc3"] {
        near.send(request, "").await.check(500, "No path to datacenter");
    }
    // Whoever is at the address of dc2 but calls itself dc1 sends nothing back to us.
    let passed_on = [("x-stillpoint-forwarded", "1")];
    near.send_with("GET /v1/snapshot?dc=dc2", &passed_on, "").await.check(500, "No path to datacenter");
}

#[tokio::test]
async fn a_datacenter_that_is_not_there_is_told_in_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let answer = knowing(address).await.get("/v1/snapshot?dc=dc2").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.text().contains(&address.to_string()), "{}", answer.text());
}

#[tokio::test]
async fn an_answer_that_breaks_off_there_breaks_off_here() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = knowing(listener.local_addr().unwrap()).await;
    let there = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(socket.read_u8().await.unwrap());
        }
        let cut = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n\x1f\x8b\r\n";
        socket.write_all(cut).await.unwrap();
    };
    let here = async {
        let answer = near.ask("GET /v1/snapshot?dc=dc2", Body::empty()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.into_body().collect().await.is_err());
    };
    tokio::join!(there, here);
}

#[tokio::test]
async fn a_large_restore_is_passed_on_whole() {
    let (near, far) = two().await;
    let value = vec![7; 400 << 10];
    let archive =
        (0..40).fold(Builder::new(50), |builder, n| builder.key(&format!("k{n}"), &value, n)).archive();
    assert_eq!(near.send("PUT /v1/snapshot?dc=dc2", archive).await.status, StatusCode::OK);
    assert_eq!(records_of(&far.save().await).len(), 40);
}
