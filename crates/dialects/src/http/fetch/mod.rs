//! Fetching what a URL names on a client's behalf, without opening our network to it.
//!
//! A host is resolved once; every address that comes of it has to be one that the policy lets us ask, and the
//! connection goes to those addresses and no others. Redirects are followed by hand, each checked anew.

mod policy;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::LOCATION;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use reqwest::{Client, Response, Url};
use tls::ClientConfig;
use tokio::time::{Instant, timeout_at};

use super::Outgoing;
pub use policy::{Allowed, FetchPolicy};

/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How long the other machine may send nothing.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// How often it may send us on.
const REDIRECTS_MAX: usize = 5;

/// Finds the addresses of hosts.
pub trait Resolve: Send + Sync {
    /// The addresses of a host, each with this port. It is asked once for each host of a chain of redirects.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
}

/// As the system resolves names.
struct System;

impl Resolve for System {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// Fetches what clients name. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    policy: Arc<FetchPolicy>,
    outgoing: Outgoing,
    resolver: Arc<dyn Resolve>,
}

/// What is to be fetched, and as whom.
pub(crate) struct Ask {
    pub(crate) url: Url,
    /// Who we say that we are.
    pub(crate) agent: &'static str,
    /// A header that nobody but the first origin gets to see.
    pub(crate) credentials: Option<(HeaderName, HeaderValue)>,
}

/// Why nothing, or not all, was fetched.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Not HTTP.
    Scheme,
    /// The policy does not let us ask there.
    Forbidden(String),
    /// The other machine answered something else than a success.
    Status(StatusCode),
    /// It sends us around.
    Redirects,
    /// There is more than the policy lets us take.
    TooLarge(u64),
    /// The connection failed, fell silent, or took too long.
    Broken(String),
}

/// An answer that is coming in.
pub(crate) struct Fetched {
    response: Response,
    left: u64,
    bytes_max: u64,
    deadline: Instant,
}

impl Fetcher {
    /// Fetches within `policy`; TLS is spoken, and trusted, as `outgoing` says.
    pub fn new(policy: FetchPolicy, outgoing: Outgoing) -> Fetcher {
        Fetcher::resolving(policy, outgoing, Arc::new(System))
    }

    /// The same with names resolved in another way.
    pub fn resolving(policy: FetchPolicy, outgoing: Outgoing, resolver: Arc<dyn Resolve>) -> Fetcher {
        Fetcher { policy: Arc::new(policy), outgoing, resolver }
    }

    /// Asks, and follows redirects. When this returns, the head of a success has come.
    pub(crate) async fn get(&self, ask: Ask) -> Result<Fetched, Failed> {
        let deadline = Instant::now() + self.policy.time_max;
        let Ask { mut url, agent, mut credentials } = ask;
        for _ in 0..=REDIRECTS_MAX {
            let response = timeout_at(deadline, self.ask_one(&url, agent, credentials.as_ref()));
            let response = response.await.map_err(|_| took_too_long())??;
            let status = response.status();
            if status.is_success() {
                return self.fetched(response, deadline);
            }
            let Some(next) = sent_on(&response) else { return Err(Failed::Status(status)) };
            let next = url.join(&next).map_err(|_| Failed::Status(status))?;
            if next.origin() != url.origin() {
                credentials = None;
            }
            url = next;
        }
        Err(Failed::Redirects)
    }

    async fn ask_one(
        &self,
        url: &Url,
        agent: &'static str,
        credentials: Option<&(HeaderName, HeaderValue)>,
    ) -> Result<Response, Failed> {
        let (host, addresses) = self.addresses(url).await?;
        let client = client(&self.outgoing.borrow().clone(), agent, &host, &addresses)?;
        let mut request = client.get(url.clone());
        if let Some((name, value)) = credentials {
            request = request.header(name, value);
        }
        request.send().await.map_err(|error| broken(&error))
    }

    /// The host of a URL and where it is: once, and for all that follows.
    async fn addresses(&self, url: &Url) -> Result<(String, Vec<SocketAddr>), Failed> {
        if !["http", "https"].contains(&url.scheme()) {
            return Err(Failed::Scheme);
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(Failed::Scheme);
        };
        // However an address was spelt, the URL's parser has made its usual form of it.
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let addresses = match literal {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => {
                let resolved = self.resolver.resolve(host, port).await;
                resolved.map_err(|error| Failed::Broken(format!("resolve {host}: {error}")))?
            }
        };
        if addresses.is_empty() {
            return Err(Failed::Broken(format!("{host} has no address")));
        }
        match addresses.iter().find(|address| !self.policy.allows(host, address.ip())) {
            None => Ok((host.to_owned(), addresses)),
            Some(_) => Err(Failed::Forbidden(host.to_owned())),
        }
    }

    fn fetched(&self, response: Response, deadline: Instant) -> Result<Fetched, Failed> {
        let bytes_max = self.policy.bytes_max;
        if response.content_length().is_some_and(|length| length > bytes_max) {
            return Err(Failed::TooLarge(bytes_max));
        }
        Ok(Fetched { response, left: bytes_max, bytes_max, deadline })
    }
}

impl Fetched {
    /// The next bytes; `None` at the end of a complete body.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Failed> {
        let chunk = timeout_at(self.deadline, self.response.chunk()).await.map_err(|_| took_too_long())?;
        let Some(chunk) = chunk.map_err(|error| broken(&error))? else { return Ok(None) };
        let left = self.left.checked_sub(chunk.len() as u64);
        self.left = left.ok_or(Failed::TooLarge(self.bytes_max))?;
        Ok(Some(chunk))
    }
}

/// A client for one host, that can go nowhere but to these addresses of it.
fn client(
    outgoing: &ClientConfig,
    agent: &'static str,
    host: &str,
    addresses: &[SocketAddr],
) -> Result<Client, Failed> {
    let building = Client::builder()
        .user_agent(agent)
        .connect_timeout(CONNECT_MAX)
        .read_timeout(SILENCE_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .resolve_to_addrs(host, addresses)
        .tls_backend_preconfigured(outgoing.clone());
    building.build().map_err(|error| broken(&error))
}

/// Where an answer sends us.
fn sent_on(response: &Response) -> Option<String> {
    use StatusCode as Code;
    let codes = [
        Code::MOVED_PERMANENTLY,
        Code::FOUND,
        Code::SEE_OTHER,
        Code::TEMPORARY_REDIRECT,
        Code::PERMANENT_REDIRECT,
    ];
    let place = response.headers().get(LOCATION).filter(|_| codes.contains(&response.status()))?;
    Some(place.to_str().ok()?.to_owned())
}

fn took_too_long() -> Failed {
    Failed::Broken("it took too long".to_owned())
}

/// The cause at the bottom: those above it repeat the URL, which may hold a password.
fn broken(error: &reqwest::Error) -> Failed {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let cause = if std::ptr::addr_eq(cause, error) {
        "the request failed".to_owned()
    } else {
        tls::words(error).unwrap_or_else(|| cause.to_string())
    };
    Failed::Broken(cause)
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failed::Scheme => f.write_str("only URLs with http or https are fetched"),
            Failed::Forbidden(host) => {
                write!(f, "nothing is fetched from {host}, for an address of it is not public")
            }
            Failed::Status(status) => write!(f, "the answer was {status}"),
            Failed::Redirects => write!(f, "there were more than {REDIRECTS_MAX} redirects"),
            Failed::TooLarge(max) => write!(f, "there are more than {max} bytes"),
            Failed::Broken(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failed {}
