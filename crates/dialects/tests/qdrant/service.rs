//! What the server is, and how it is.

use axum::body::Body;
use serde_json::json;

use crate::server::Server;

#[tokio::test]
async fn the_server_says_what_it_is() {
    let server = Server::start().await;
    let root = server.get("/").await.value();
    assert_eq!(root, json!({"title": "qdrant - vector search engine", "version": "1.19.0"}));
    for (path, text) in [
        ("/healthz", "healthz check passed"),
        ("/livez", "healthz check passed"),
        ("/readyz", "all shards are ready"),
    ] {
        let answer = server.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.string()), (200, text));
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    }
    let telemetry = server.read("/telemetry?details_level=2").await;
    assert_eq!(
        (&telemetry["app"]["name"], &telemetry["app"]["version"]),
        (&json!("qdrant"), &json!("1.19.0"))
    );
    assert_eq!(server.read("/cluster").await, json!({"status": "disabled"}));
}

#[tokio::test]
async fn metrics_have_the_names_that_dashboards_know() {
    let server = Server::with_collection().await;
    let text = server.get("/metrics").await.string().to_owned();
    for line in [
        "# HELP app_info information about qdrant server\n# TYPE app_info gauge\n",
        "app_info{name=\"qdrant\",version=\"1.19.0\"} 1\n",
        "cluster_enabled 0\n",
        "collections_total 1\n",
        "collection_points{id=\"c\"} 0\n",
        "rest_responses_total{method=\"PUT\",endpoint=\"/collections/{name}\",status=\"200\"} 1\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[tokio::test]
async fn alone_there_is_no_cluster() {
    let server = Server::with_collection().await;
    let sentence = "Qdrant is running in standalone mode";
    for request in ["POST /cluster/recover", "DELETE /cluster/peer/7", "POST /collections/c/cluster"] {
        server.refused(request, json!({}), 405, sentence).await;
    }
    let missing = "Not found: Collection `d` doesn't exist!";
    server.refused("POST /collections/d/cluster", json!({}), 404, missing).await;
}

#[tokio::test]
async fn what_is_not_there_is_empty() {
    let server = Server::start().await;
    for request in
        ["GET /nothing", "DELETE /collections", "POST /collections/c", "PUT /", "GET /collections/c/x"]
    {
        let answer = server.send(request, &[], Body::empty()).await;
        assert_eq!((answer.status.as_u16(), answer.string()), (404, ""), "{request}");
    }
}

#[tokio::test]
async fn slashes_too_many_are_dropped() {
    let server = Server::with_collection().await;
    for path in ["/collections/", "//collections//", "/collections/c//exists/?timeout=1", "/healthz/", "///"]
    {
        assert_eq!(server.get(path).await.status.as_u16(), 200, "{path}");
    }
}
