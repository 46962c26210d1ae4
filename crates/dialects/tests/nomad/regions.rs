//! Requests for other regions.

use axum::body::Body;
use tokio::net::TcpListener;

use super::server::Server;

#[tokio::test]
async fn a_request_is_passed_on_to_the_region_that_it_names() {
    let other = Server::with(|settings| settings.region = "europe".to_owned()).await;
    other.put("there", "in Europe").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(axum::serve(listener, other.nomad.clone()).into_future());
    let server = Server::with(|settings| drop(settings.regions.insert("europe".to_owned(), url))).await;

    server.get("/v1/regions").await.check(200, r#"["europe","global"]"#);
    server.get("/v1/namespace/there").await.check(404, "Namespace not found");
    server.get("/v1/namespace/there?region=global").await.check(404, "Namespace not found");
    let there = server.get("/v1/namespace/there?region=europe").await;
    assert!(there.text().contains("in Europe"), "{}", there.text());
    let archive = server.get("/v1/operator/snapshot?region=europe").await;
    assert_eq!(archive.header("digest"), other.get("/v1/operator/snapshot").await.header("digest"));
    server.send("PUT /v1/operator/snapshot", archive.body).await.check(200, "");
    assert_eq!(server.get("/v1/namespace/there").await.status.as_u16(), 200);
    server.send("DELETE /v1/namespace/there?region=europe", Body::empty()).await.check(200, "");
    other.get("/v1/namespace/there").await.check(404, "Namespace not found");
    server.get("/v1/namespaces?region=asia").await.check(500, "No path to region");
    // It knows itself by another name.
    other.get("/v1/namespaces?region=global").await.check(500, "No path to region");
    serving.abort();
}
