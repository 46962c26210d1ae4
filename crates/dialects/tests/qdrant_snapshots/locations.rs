//! Where archives are fetched from, and where not.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Redirect;
use axum::routing::get;
use dialects::FetchPolicy;
use dialects::qdrant::Keys;
use serde_json::json;

use crate::server::{Server, serve};

const RECOVER: &str = "PUT /collections/nothing-there/snapshots/recover";

#[tokio::test]
async fn files_are_taken_from_the_directory_of_snapshots_alone() {
    let server = Server::start().await;
    let refused = async |location: &str, status, text: &str| {
        server.refused(RECOVER, json!({"location": location}), status, text).await;
    };
    let host = "Bad request: Invalid snapshot URI, file path must be absolute or on localhost";
    refused("file://whatever.snapshot", 400, host).await;
    refused("file://./etc/passwd", 400, host).await;
    refused("file://host/etc/passwd", 400, host).await;
    let missing = "Bad request: Snapshot file \"/whatever.snapshot\" does not exist";
    refused("file:///whatever.snapshot", 400, missing).await;
    refused("file://localhost/whatever.snapshot", 400, missing).await;

    let dir = server.snapshots_dir();
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("../outside.snapshot"), "secret").unwrap();
    std::os::unix::fs::symlink("../outside.snapshot", dir.join("link.snapshot")).unwrap();
    let dir = dir.to_str().unwrap().to_owned();
    for location in [
        "file:///etc/passwd".to_owned(),
        format!("file://{dir}/../outside.snapshot"),
        format!("file://{dir}/%2e%2e/outside.snapshot"),
        format!("file://{dir}/..%2Foutside.snapshot"),
        format!("file://{dir}/link.snapshot"),
    ] {
        let answer = server.json(RECOVER, json!({"location": location})).await;
        let text = answer.error();
        assert_eq!(answer.status, 403, "{location}: {text}");
        assert!(
            text.starts_with("Forbidden: Snapshot file path must be inside the snapshots directory"),
            "{text}"
        );
    }
    // Never of shards, and never a directory.
    server.fill("c", 1).await;
    let shard = "PUT /collections/c/shards/0/snapshots/recover";
    let url = "Wrong input: Invalid snapshot URL file:///etc/passwd: URLs with file scheme are not supported";
    server.refused(shard, json!({"location": "file:///etc/passwd"}), 400, url).await;
    let answer = server.json(RECOVER, json!({"location": format!("file://{dir}")})).await;
    assert!((400..500).contains(&answer.status), "{}", answer.string());
}

#[tokio::test]
async fn other_schemes_are_refused() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    for (location, scheme) in [("ftp://host/s", "ftp"), ("data:,x", "data"), ("gopher://host/", "gopher")] {
        let text = format!("Bad request: URL {location} with scheme {scheme} is not supported");
        server.refused(RECOVER, json!({"location": location}), 400, &text).await;
        let text = format!(
            "Wrong input: Invalid snapshot URL {location}: URLs with {scheme} scheme are not supported"
        );
        server
            .refused(
                "PUT /collections/c/shards/0/snapshots/recover",
                json!({"location": location}),
                400,
                &text,
            )
            .await;
    }
}

#[tokio::test]
async fn fetching_can_be_switched_off() {
    let server = Server::with(Keys::default(), None).await;
    server.fill("c", 1).await;
    let text = "Forbidden: Snapshot recovery from remote URLs is disabled in the configuration";
    for location in ["http://127.0.0.1:1/s.snapshot", "https://127.0.0.1:1/s.snapshot"] {
        for request in [RECOVER, "PUT /collections/c/shards/0/snapshots/recover"] {
            server.refused(request, json!({"location": location}), 403, text).await;
        }
    }
    // Files are not fetched.
    let missing = "Bad request: Snapshot file \"/whatever.snapshot\" does not exist";
    server.refused(RECOVER, json!({"location": "file:///whatever.snapshot"}), 400, missing).await;
}

#[tokio::test]
async fn private_addresses_are_not_asked_however_they_are_spelt() {
    let server = Server::with(Keys::default(), Some(FetchPolicy::default())).await;
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "10.0.0.1",
        "169.254.169.254",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "100.64.0.1",
    ] {
        let location = format!("http://{host}:{}/collections", server.address.port());
        let answer = server.json(RECOVER, json!({"location": location})).await;
        let text = answer.error();
        assert!(
            answer.status == 403 && text.starts_with("Forbidden: nothing is fetched from "),
            "{host}: {text}"
        );
    }
    server
        .refused(
            "GET /collections/nothing-there",
            json!(null),
            404,
            "Not found: Collection `nothing-there` doesn't exist!",
        )
        .await;
}

#[tokio::test]
async fn what_the_other_server_says_is_told() {
    let server = Server::start().await;
    let routes = Router::new()
        .route("/gone", get(|| async { StatusCode::GONE }))
        .route("/metadata", get(|| async { Redirect::to("http://169.254.169.254/latest/meta-data/") }))
        .route("/file", get(|| async { Redirect::to("file:///etc/passwd") }));
    let other = serve(routes).await;
    let answer = async |path: &str| {
        let answer = server.json(RECOVER, json!({"location": format!("http://{other}{path}")})).await;
        (answer.status, answer.error())
    };
    let text = "Wrong input: Failed to download tar from URL: status - 410 Gone";
    assert_eq!(answer("/gone").await, (400, text.to_owned()));
    let (status, text) = answer("/metadata").await;
    assert!(
        status == 403 && text.starts_with("Forbidden: nothing is fetched from 169.254.169.254"),
        "{text}"
    );
    assert_eq!(
        answer("/file").await,
        (400, "Wrong input: only URLs with http or https are fetched".to_owned())
    );
    let nobody = server.json(RECOVER, json!({"location": "http://127.0.0.1:1/"})).await;
    assert_eq!(nobody.status, 500);
    assert!(
        nobody.error().starts_with("Service internal error: Http request error: "),
        "{}",
        nobody.string()
    );
    assert_eq!(server.blobs(), [] as [std::path::PathBuf; 0]);
    // A genuine test: the snapshot of a shard that is not there, by the server's own URL.
    server.fill("c", 1).await;
    let own = server.url("/collections/c/shards/0/snapshots/missing.snapshot");
    let text = "Wrong input: Failed to download tar from URL: status - 404 Not Found";
    server
        .refused("PUT /collections/c/shards/0/snapshots/recover", json!({"location": own}), 400, text)
        .await;
}

#[tokio::test]
async fn the_key_that_was_given_is_sent_and_no_other() {
    let keys = Keys { api_key: Some("own".into()), ..Keys::default() };
    let policy = FetchPolicy { loopback: true, ..FetchPolicy::default() };
    let server = Server::with(keys, Some(policy)).await;
    let (told, mut hear) = tokio::sync::mpsc::channel(2);
    let routes = Router::new().route(
        "/",
        get(async move |headers: HeaderMap| {
            let value = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            told.send((value("user-agent").unwrap(), value("api-key"))).await.unwrap();
            StatusCode::NOT_FOUND
        }),
    );
    let location = format!("http://{}/", serve(routes).await);
    for key in [None, Some("theirs")] {
        let body = json!({"location": location, "api_key": key}).to_string();
        let headers = [("content-type", "application/json"), ("api-key", "own")];
        assert_eq!(server.send(RECOVER, &headers, body).await.status, 400);
        assert_eq!(hear.recv().await.unwrap(), ("Qdrant/1.19.0".to_owned(), key.map(str::to_owned)));
    }
}
