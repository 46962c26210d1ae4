//! Consul's snapshot API, of a genuine server or of ours.
//!
//! * `GET /v1/snapshot` -- [`Client::save`]
//! * `PUT /v1/snapshot` -- [`Client::restore`]

mod settings;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName};
use tokio::time::timeout;

pub use settings::{DEFAULT_PORT, DEFAULT_TLS_PORT, Settings, SettingsError};

use crate::http::{Http, SILENCE_MAX, TRANSFER_MAX};
use crate::{Address, Capture, Download, Error, Kind, Refusal, Tls, Token, Upload};

const SNAPSHOT: &[&str] = &["v1", "snapshot"];

/// A client of one Consul server or agent.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    datacenter: Option<String>,
}

impl Client {
    /// Nothing is sent yet. `datacenter` is asked for by name; without it the server means its own.
    pub fn new(
        address: Address,
        tls: &Tls,
        token: Option<&Token>,
        datacenter: Option<String>,
    ) -> Result<Client, Error> {
        let credential = token.map(|token| (HeaderName::from_static("x-consul-token"), token.header()));
        Ok(Client { http: Http::new(address, tls, credential, refusal)?, datacenter })
    }

    /// Whom this client asks.
    pub fn address(&self) -> &Address {
        self.http.address()
    }

    /// Asks for an archive of the whole state. With `stale` any server may answer, even one without a
    /// leader. Until the archive is verified nothing is known about it but that it arrived whole.
    pub async fn save(&self, stale: bool) -> Result<Download, Error> {
        let mut query = self.query();
        if stale {
            query.push(("stale", None));
        }
        let request = self.http.request(Method::GET, SNAPSHOT, &query).timeout(TRANSFER_MAX);
        let response = timeout(SILENCE_MAX, self.http.send(request))
            .await
            .map_err(|_| Error::Stalled { received: 0, waited: SILENCE_MAX })??;
        let header = |name: &str| response.headers().get(name)?.to_str().ok();
        let capture = Capture {
            index: header("x-consul-index").and_then(|text| text.parse().ok()),
            known_leader: header("x-consul-knownleader").and_then(|text| text.parse().ok()),
            last_contact_ms: header("x-consul-lastcontact").and_then(|text| text.parse().ok()),
            warnings: warnings(response.headers()),
            ..Capture::default()
        };
        Ok(Download::new(response, capture))
    }

    /// Replaces the whole state by the archive's. A genuine server begins at once: an error here, other than
    /// [`Error::Refused`], leaves unknown what the server's state is. Returns what a server of ours warns of.
    pub async fn restore(&self, archive: Upload) -> Result<Vec<String>, Error> {
        let request = self.http.request(Method::PUT, SNAPSHOT, &self.query());
        let response = self.http.send(archive.attach(request)).await?;
        Ok(warnings(response.headers()))
    }

    fn query(&self) -> Vec<(&str, Option<&str>)> {
        self.datacenter.iter().map(|name| ("dc", Some(name.as_str()))).collect()
    }
}

fn warnings(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all("x-stillpoint-warning").iter();
    values.filter_map(|value| Some(value.to_str().ok()?.to_owned())).collect()
}

/// A Consul server's error is its body, in plain text.
fn refusal(status: u16, body: &[u8]) -> Refusal {
    let message = String::from_utf8_lossy(body).trim().to_owned();
    Refusal { status, kind: Kind::of_status(status), message, hint: None }
}
