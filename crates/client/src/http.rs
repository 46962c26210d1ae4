//! The plumbing that the clients share: one connection pool, bounded answers, errors in our words.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response, redirect};
use serde::de::DeserializeOwned;
use tokio::net::lookup_host;

use crate::error::root_cause;
use crate::{Address, Error, Refusal, Tls};

/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a question with a short answer may take.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(30);
/// How long moving an archive may take, whatever its size.
pub(crate) const TRANSFER_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a server may be silent while it makes an archive or sends one.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(300);
/// After how much silence the kernel asks whether the other side still lives.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// How long a server may take nothing of what we send: one that stages what it has pauses the upload. The HTTP
/// client's own limit is 30 s.
#[cfg(target_os = "linux")]
const DEAF_MAX: Duration = Duration::from_secs(300);

/// Error texts longer than this are cut.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
/// No list of snapshots or tasks comes near this.
const JSON_BYTES_MAX: usize = 16 << 20;

/// Tells what an error answer says, from its status and its body.
type Refuse = fn(u16, &[u8]) -> Refusal;

/// A server to ask, and how it words its errors.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: Client,
    /// Where it is, as the caller knows it.
    address: Address,
    /// The same, under the name that it is to prove.
    named: Address,
    refuse: Refuse,
}

impl Http {
    /// `credential` goes with every request. Redirects aren't followed: they would carry it elsewhere.
    pub(crate) fn new(
        address: Address,
        tls: &Tls,
        credential: Option<(HeaderName, HeaderValue)>,
        refuse: Refuse,
    ) -> Result<Http, Error> {
        let named = tls.name(&address)?;
        let headers: HeaderMap = credential.into_iter().collect();
        let mut client = Client::builder()
            .user_agent(concat!("stillpoint/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_MAX)
            .tcp_keepalive(KEEPALIVE)
            .redirect(redirect::Policy::none())
            .tls_backend_preconfigured(tls.config(&address)?)
            .default_headers(headers);
        #[cfg(target_os = "linux")]
        {
            client = client.tcp_user_timeout(DEAF_MAX);
        }
        // As Go's clients do: a proxy from the environment never stands between us and our own machine.
        if address.is_loopback() {
            client = client.no_proxy();
        }
        if named != address {
            // A proxy would look for the name where nobody has to know it.
            client = client.no_proxy().dns_resolver(There::of(&address));
        }
        let client = client.build().map_err(|error| unreachable(&address, &error))?;
        Ok(Http { client, address, named, refuse })
    }

    pub(crate) fn request(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, Option<&str>)],
    ) -> RequestBuilder {
        self.client.request(method, self.named.url(segments, query))
    }

    /// Sends and waits for the head of the answer, which is an error unless its status is a success.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let mut response = request.send().await.map_err(|error| unreachable(&self.address, &error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let mut body = Vec::new();
        // What arrived of an error text is worth passing on, even if the rest did not.
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk[..chunk.len().min(REFUSAL_BYTES_MAX - body.len())]);
            if body.len() == REFUSAL_BYTES_MAX {
                break;
            }
        }
        Err(Error::Refused((self.refuse)(status, &body)))
    }

    /// Sends and reads the whole answer as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        let mut response = self.send(request).await?;
        let mut body = Vec::new();
        loop {
            let received = body.len() as u64;
            let chunk = response.chunk().await;
            let Some(chunk) = chunk.map_err(|error| Error::Cut { received, cause: root_cause(&error) })?
            else {
                break;
            };
            if chunk.len() > JSON_BYTES_MAX - body.len() {
                return Err(self.foreign(format!("it is longer than {JSON_BYTES_MAX} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| self.foreign(error.to_string()))
    }

    pub(crate) fn foreign(&self, cause: String) -> Error {
        Error::Foreign { address: self.address.to_string(), cause }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }
}

fn unreachable(address: &Address, error: &reqwest::Error) -> Error {
    let (address, cause) = (address.to_string(), root_cause(error));
    match tls::is_untrusted(error) {
        true => Error::Untrusted { address, cause },
        false => Error::Unreachable { address, cause },
    }
}

/// Finds a server under whatever name it is asked for.
struct There {
    host: String,
}

impl There {
    fn of(address: &Address) -> Arc<There> {
        Arc::new(There { host: address.host().to_owned() })
    }
}

impl Resolve for There {
    fn resolve(&self, _: Name) -> Resolving {
        let host = self.host.clone();
        Box::pin(async move {
            // The port is that of the URL.
            let found: Vec<SocketAddr> = lookup_host((host.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
