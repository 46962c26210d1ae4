//! What is fetched, from where, and what is not.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::http::HeaderMap;
use axum::response::Redirect;
use axum::routing::get;
use futures_util::stream;
use tokio::sync::watch;

use super::*;

/// A resolver that has one list of addresses after the other for each host.
#[derive(Default)]
struct Names {
    answers: BTreeMap<&'static str, Vec<Vec<&'static str>>>,
    asked: Mutex<Vec<String>>,
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let mut asked = self.asked.lock().unwrap();
        let before = asked.iter().filter(|name| *name == host).count();
        asked.push(host.to_owned());
        let answers = self.answers.get(host).ok_or_else(|| io::Error::other("no such host"));
        let addresses = answers.map(|answers| {
            let addresses = &answers[before.min(answers.len() - 1)];
            addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), port)).collect()
        });
        Box::pin(std::future::ready(addresses))
    }
}

fn outgoing() -> Outgoing {
    let config = tls::client_config(&tls::Trust::Nobody, None).unwrap();
    watch::Sender::new(Arc::new(config)).subscribe()
}

/// A fetcher that may ask this machine.
fn fetcher(policy: FetchPolicy, names: &Arc<Names>) -> Fetcher {
    let policy = FetchPolicy { loopback: true, ..policy };
    Fetcher::resolving(policy, outgoing(), Arc::clone(names) as Arc<dyn Resolve>)
}

async fn serve(routes: Router) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    port
}

async fn fetch(fetcher: &Fetcher, url: &str) -> Result<String, Failed> {
    let credentials = Some((HeaderName::from_static("api-key"), HeaderValue::from_static("secret")));
    let ask = Ask { url: Url::parse(url).unwrap(), agent: "Agent/1.0", credentials };
    let mut fetched = fetcher.get(ask).await?;
    let mut all = Vec::new();
    while let Some(chunk) = fetched.chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8(all).unwrap())
}

/// What the request says of whoever asks.
async fn told(headers: HeaderMap) -> String {
    let value = |name: &str| headers.get(name).map_or("nothing", |value| value.to_str().unwrap()).to_owned();
    format!("{} {}", value("user-agent"), value("api-key"))
}

#[tokio::test]
async fn credentials_go_to_the_origin_that_was_named_alone() {
    let other = serve(Router::new().route("/told", get(told))).await;
    let routes = Router::new()
        .route("/told", get(told))
        .route("/here", get(|| async { Redirect::temporary("/told") }))
        .route("/away", get(move || async move { Redirect::to(&format!("http://127.0.0.1:{other}/told")) }));
    let port = serve(routes).await;
    let fetcher = fetcher(FetchPolicy::default(), &Arc::default());
    let ask = async |path| fetch(&fetcher, &format!("http://127.0.0.1:{port}/{path}")).await.unwrap();
    assert_eq!(ask("told").await, "Agent/1.0 secret");
    assert_eq!(ask("here").await, "Agent/1.0 secret");
    assert_eq!(ask("away").await, "Agent/1.0 nothing");
}

#[tokio::test]
async fn an_address_is_seen_through_however_it_is_spelt() {
    let fetcher = Fetcher::new(FetchPolicy::default(), outgoing());
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "0x7f000001",
        "127.1",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "169.254.169.254",
        "2852039166",
        "[64:ff9b::a00:1]",
        "10.0.0.1",
        "１２７.0.0.1",
        "127.0.0.1.",
        "[fe80::1]",
    ] {
        let refused = fetch(&fetcher, &format!("http://{host}/")).await;
        assert!(matches!(refused, Err(Failed::Forbidden(_))), "{host}: {refused:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_checked_like_the_first_url() {
    let names =
        Arc::new(Names { answers: [("private.test", vec![vec!["10.0.0.1"]])].into(), ..Names::default() });
    let fetcher = fetcher(FetchPolicy::default(), &names);
    let routes = Router::new()
        .route("/metadata", get(|| async { Redirect::to("http://169.254.169.254/latest/meta-data") }))
        .route("/decimal", get(|| async { Redirect::to("http://167772161/") }))
        .route("/name", get(|| async { Redirect::to("http://private.test/") }))
        .route("/file", get(|| async { Redirect::to("file:///etc/passwd") }))
        .route("/round", get(|| async { Redirect::to("/round") }));
    let port = serve(routes).await;
    let ask = async |path| fetch(&fetcher, &format!("http://127.0.0.1:{port}/{path}")).await;
    for path in ["metadata", "decimal", "name"] {
        let refused = ask(path).await;
        assert!(matches!(refused, Err(Failed::Forbidden(_))), "{path}: {refused:?}");
    }
    assert!(matches!(ask("file").await, Err(Failed::Scheme)));
    assert!(matches!(ask("round").await, Err(Failed::Redirects)));
}

#[tokio::test]
async fn a_name_that_changes_its_address_changes_nothing() {
    let port = serve(Router::new().route("/", get(|| async { "there" }))).await;
    let answers = [
        ("rebinds.test", vec![vec!["127.0.0.1"], vec!["169.254.169.254"]]),
        ("both.test", vec![vec!["127.0.0.1", "10.0.0.1"]]),
        ("none.test", vec![vec![]]),
    ];
    let names = Arc::new(Names { answers: answers.into(), ..Names::default() });
    let fetcher = fetcher(FetchPolicy::default(), &names);
    assert_eq!(fetch(&fetcher, &format!("http://rebinds.test:{port}/")).await.unwrap(), "there");
    assert_eq!(*names.asked.lock().unwrap(), ["rebinds.test"]);
    let second = fetch(&fetcher, &format!("http://rebinds.test:{port}/")).await;
    assert!(matches!(second, Err(Failed::Forbidden(_))), "{second:?}");
    let both = fetch(&fetcher, &format!("http://both.test:{port}/")).await;
    assert!(matches!(both, Err(Failed::Forbidden(_))), "{both:?}");
    for host in ["none.test", "unknown.test"] {
        assert!(
            matches!(fetch(&fetcher, &format!("http://{host}/")).await, Err(Failed::Broken(_))),
            "{host}"
        );
    }
}

#[tokio::test]
async fn what_is_too_much_or_takes_too_long_ends() {
    let chunks =
        || Body::from_stream(stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[7; 1024]))));
    let routes = Router::new()
        .route("/declared", get(|| async { vec![7_u8; 5000] }))
        .route("/endless", get(move || async move { chunks() }))
        .route("/silent", get(std::future::pending::<()>))
        .route("/missing", get(|| async { StatusCode::GONE }));
    let port = serve(routes).await;
    let policy =
        FetchPolicy { bytes_max: 4096, time_max: Duration::from_millis(500), ..FetchPolicy::default() };
    let fetcher = fetcher(policy, &Arc::default());
    let ask = async |path| fetch(&fetcher, &format!("http://127.0.0.1:{port}/{path}")).await;
    assert!(matches!(ask("declared").await, Err(Failed::TooLarge(4096))));
    assert!(matches!(ask("endless").await, Err(Failed::TooLarge(4096))));
    assert!(matches!(ask("silent").await, Err(Failed::Broken(_))));
    assert!(matches!(ask("missing").await, Err(Failed::Status(StatusCode::GONE))));
    // Port 1 of this machine: nobody is there.
    let nobody = fetch(&fetcher, "http://user:password@127.0.0.1:1/").await.unwrap_err().to_string();
    assert!(!nobody.contains("password"), "{nobody}");
}
