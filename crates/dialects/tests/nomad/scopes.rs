//! What a restore of one scope leaves alone: the other one, while both are written to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;

use super::server::Server;

/// Writes to both scopes until told to stop, and returns how often it wrote to each.
fn keep_writing(server: &Server, stop: &Arc<AtomicBool>) -> tokio::task::JoinHandle<u64> {
    let (server, stop) = (server.clone(), Arc::clone(stop));
    tokio::spawn(async move {
        let mut round = 0;
        while round == 0 || !stop.load(Ordering::Relaxed) {
            server.send_consul(&format!("PUT /v1/kv/key-{round}"), "value").await.check(200, "true");
            server.put(&format!("space-{round}"), "written on the side").await;
            round += 1;
        }
        round
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_of_one_scope_loses_nothing_of_the_other() {
    let server = Server::start().await;
    server.put("before", "saved").await;
    server.send_consul("PUT /v1/kv/before", "saved").await.check(200, "true");
    let nomad = server.save().await;
    let consul = server.send_consul("GET /v1/snapshot", Body::empty()).await.body;
    for restored in ["nomad", "consul"] {
        let stop = Arc::default();
        let writer = keep_writing(&server, &stop);
        match restored {
            "nomad" => server.restore(nomad.clone()).await.check(200, ""),
            _ => server.send_consul("PUT /v1/snapshot", consul.clone()).await.check(200, ""),
        }
        stop.store(true, Ordering::Relaxed);
        let rounds = writer.await.unwrap();
        for round in 0..rounds {
            match restored {
                "nomad" => {
                    let uri = format!("GET /v1/kv/key-{round}?raw");
                    server.send_consul(&uri, Body::empty()).await.check(200, "value");
                }
                _ => {
                    let answer = server.get(&format!("/v1/namespace/space-{round}")).await;
                    assert_eq!(answer.status.as_u16(), 200, "space-{round}: {}", answer.text());
                }
            }
        }
        assert_eq!(server.get("/v1/namespace/before").await.status.as_u16(), 200);
        server.send_consul("GET /v1/kv/before?raw", Body::empty()).await.check(200, "saved");
    }
}
