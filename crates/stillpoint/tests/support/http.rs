//! Asks servers over HTTP: as clients do, or byte by byte.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use axum::http::{HeaderMap, Method};
use reqwest::{Body, Client, Response};
use tls::{Trust, client_config};
use tokio::runtime::Runtime;

/// A client, for tests that are not asynchronous themselves.
pub(crate) struct Http {
    runtime: Runtime,
    client: Client,
}

/// A complete answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Http {
    pub(crate) fn new() -> Http {
        let no_tls = client_config(&Trust::Nobody, None).expect("it reads nothing");
        let client = Client::builder().no_proxy().tls_backend_preconfigured(no_tls).build();
        Http { runtime: Runtime::new().expect("a runtime"), client: client.expect("a client") }
    }

    /// Sends a request, such as `GET 127.0.0.1:8500/v1/snapshot`, and waits for the head of its answer.
    pub(crate) fn begin(
        &self,
        request: &str,
        headers: &[(&'static str, &str)],
        body: impl Into<Body>,
    ) -> reqwest::Result<Response> {
        let (method, url) = request.split_once(' ').expect("a method and a URL");
        let method: Method = method.parse().expect("a method");
        let mut request = self.client.request(method, format!("http://{url}")).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.runtime.block_on(request.send())
    }

    /// The next bytes of an answer, and nothing once it is complete.
    pub(crate) fn next(&self, response: &mut Response) -> reqwest::Result<Option<Vec<u8>>> {
        Ok(self.runtime.block_on(response.chunk())?.map(Vec::from))
    }

    /// The answer to a request without a body.
    pub(crate) fn get(&self, url: &str) -> Answer {
        self.send(&format!("GET {url}"), "")
    }

    pub(crate) fn send(&self, request: &str, body: impl Into<Body>) -> Answer {
        self.send_with(request, &[], body)
    }

    pub(crate) fn send_with(
        &self,
        request: &str,
        headers: &[(&'static str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let response = self.begin(request, headers, body).expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = self.runtime.block_on(response.bytes()).expect("all of it");
        Answer { status, headers, body: body.into() }
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("it is text")
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The value of a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("our headers are text"))
    }

    #[track_caller]
    pub(crate) fn check(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.text()), (status, body));
    }
}

/// A request of which the body is sent piece by piece, in chunks.
pub(crate) struct Upload(TcpStream);

impl Upload {
    pub(crate) fn begin(address: &str, path: &str) -> Upload {
        let mut stream = TcpStream::connect(address).expect("somebody listens");
        let fields = "host: a\r\nconnection: close\r\ntransfer-encoding: chunked";
        write!(stream, "PUT {path} HTTP/1.1\r\n{fields}\r\n\r\n").expect("it takes a head");
        Upload(stream)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        write!(self.0, "{:x}\r\n", bytes.len())?;
        self.0.write_all(bytes)?;
        self.0.write_all(b"\r\n")
    }

    /// Ends the body as it should end, and returns what the server said to its end.
    pub(crate) fn finish(mut self) -> io::Result<String> {
        self.0.write_all(b"0\r\n\r\n")?;
        let mut answer = String::new();
        self.0.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Leaves without having ended the body.
    pub(crate) fn cut(self) {
        self.0.shutdown(Shutdown::Both).expect("it is open");
    }
}
