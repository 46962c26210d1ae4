//! Runs the binary, and gives it servers to talk to that say what a test wants them to say.

#![allow(dead_code, reason = "each test binary uses a part of this")]

pub(crate) mod http;
pub(crate) mod points;
pub(crate) mod server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use archive::testing::Builder;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The binary in a directory of its own, away from the settings of whoever runs the tests.
pub(crate) struct Cli {
    pub(crate) directory: TempDir,
    variables: Vec<(&'static str, String)>,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Cli {
    pub(crate) fn new() -> Cli {
        Cli { directory: tempfile::tempdir().expect("a temporary directory"), variables: Vec::new() }
    }

    pub(crate) fn variable(mut self, name: &'static str, value: impl Into<String>) -> Cli {
        self.variables.push((name, value.into()));
        self
    }

    /// The command, with nobody at its stdin.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stillpoint"));
        let inherited = std::env::vars_os().map(|(name, _)| name);
        for name in inherited.filter(|name| {
            ["CONSUL_", "NOMAD_", "QDRANT_", "STILLPOINT_"]
                .iter()
                .any(|prefix| name.to_string_lossy().starts_with(prefix))
        }) {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(self.directory.path()).stdin(Stdio::null());
        command.envs(self.variables.iter().map(|(name, value)| (*name, value)));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.command(arguments).output().expect("the binary runs").into()
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).expect("the directory takes files");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).expect("the directory is there");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("our names are text"))
            .collect();
        names.sort();
        names
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        Run {
            code: output.status.code().expect("it ended by itself"),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).expect("talk is text"),
        }
    }
}

impl Run {
    /// Ended with this code, and talked of this.
    #[track_caller]
    pub(crate) fn expect(self, code: i32, talk: &str) -> Run {
        assert_eq!(self.code, code, "{self}");
        assert!(self.stderr.contains(talk), "{talk:?} is not in: {self}");
        self
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("the result is text")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).expect("the result is JSON")
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stdout = String::from_utf8_lossy(&self.stdout);
        write!(f, "code {}\nstdout: {stdout}\nstderr: {}", self.code, self.stderr)
    }
}

/// A request as a fake server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    /// Method, path and query.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.uri)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("our headers are text"))
    }
}

/// A server that answers as it was told and remembers what it was asked.
pub(crate) struct Fake {
    pub(crate) address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Ends the server when dropped.
    _runtime: Runtime,
}

impl Fake {
    pub(crate) fn start(answer: impl Fn(&Seen) -> Response + Clone + Send + Sync + 'static) -> Fake {
        let runtime = Runtime::new().expect("a runtime");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&seen);
        let handler = move |request: Request| {
            let (answer, remembered) = (answer.clone(), Arc::clone(&remembered));
            async move {
                let (head, body) = request.into_parts();
                let body = to_bytes(body, 64 << 20).await.unwrap_or_default();
                let request = Seen { method: head.method, uri: head.uri, headers: head.headers, body };
                remembered.lock().expect("nobody panics with it").push(request.clone());
                answer(&request)
            }
        };
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let routes = Router::new().fallback(handler);
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Fake { address, seen, _runtime: runtime }
    }

    /// `consul://…` of this server.
    pub(crate) fn consul(&self) -> String {
        format!("consul://{}", self.address)
    }

    /// `nomad://…` of this server.
    pub(crate) fn nomad(&self) -> String {
        format!("nomad://{}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("nobody panics with it").clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }
}

pub(crate) fn answer(status: u16, body: impl Into<Body>) -> Response {
    Response::builder().status(status).body(body.into()).expect("a valid answer")
}

pub(crate) fn answer_json(status: u16, body: serde_json::Value) -> Response {
    answer(status, body.to_string())
}

/// The archive as a Consul server sends it: chunked, with its index in a header.
pub(crate) fn answer_archive(archive: &[u8]) -> Response {
    let chunks: Vec<Result<Bytes, std::io::Error>> =
        archive.chunks(1000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    let mut response = answer(200, Body::from_stream(stream::iter(chunks)));
    response.headers_mut().insert("x-consul-index", "8419".parse().expect("a valid header"));
    response
}

/// Some bytes, then the connection breaks.
pub(crate) fn answer_cut(begin: &[u8]) -> Response {
    let begin = stream::iter([Ok(Bytes::copy_from_slice(begin))]);
    let end = stream::once(async {
        // Waiting makes the server send what it has.
        tokio::task::yield_now().await;
        Err(std::io::Error::other("cut"))
    });
    answer(200, Body::from_stream(begin.chain(end)))
}

/// A small archive of the community edition.
pub(crate) fn small() -> Vec<u8> {
    Builder::new(7).key("a/b/c", b"one", 5).key("a/b/d", b"two", 6).key("x", b"", 7).archive()
}

/// An archive of Consul's own, if there is one.
pub(crate) fn genuine(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    let fixtures = std::env::var_os("STILLPOINT_FIXTURES").map_or_else(beside, PathBuf::from);
    let path = fixtures.join("consul").join(name);
    if !path.exists() {
        eprintln!("skipped: no genuine fixtures");
        return None;
    }
    Some(path)
}
