//! The snapshot API of Consul and of Nomad, of a genuine server or of ours. They differ in where it lies, how a
//! token travels, and what the answer says of the archive.
//!
//! * `GET /v1/snapshot`, `GET /v1/operator/snapshot` -- [`Client::save`]
//! * `PUT` to the same -- [`Client::restore`]

mod settings;

use archive::state::Product;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName};
use tokio::time::timeout;

pub use settings::{Settings, SettingsError, default_port, default_tls_port};

use crate::http::{Http, SILENCE_MAX, TRANSFER_MAX};
use crate::{Address, Capture, Digest, Download, Error, Kind, Refusal, Tls, Token, Upload};

/// A client of one server or agent.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    product: Product,
    /// The datacenter or region that is asked for.
    place: Option<String>,
}

/// How an archive is to be restored.
#[derive(Clone, Copy, Debug, Default)]
pub struct RestoreOptions {
    /// Take an archive of Nomad's whose variables nobody can ever decrypt. Servers of ours ask for this, genuine
    /// ones take such an archive as it is.
    pub allow_missing_keys: bool,
}

impl Client {
    /// Nothing is sent yet. `place`, Consul's datacenter or Nomad's region, is asked for by name; without it the
    /// server means its own.
    pub fn new(
        product: Product,
        address: Address,
        tls: &Tls,
        token: Option<&Token>,
        place: Option<String>,
    ) -> Result<Client, Error> {
        let header = match product {
            Product::Consul => "x-consul-token",
            Product::Nomad => "x-nomad-token",
        };
        let credential = token.map(|token| (HeaderName::from_static(header), token.header()));
        Ok(Client { http: Http::new(address, tls, credential, refusal)?, product, place })
    }

    /// Whom this client asks.
    pub fn address(&self) -> &Address {
        self.http.address()
    }

    /// Whose API this client speaks.
    pub fn product(&self) -> Product {
        self.product
    }

    /// Asks for an archive of the whole state. With `stale` any server may answer, even one without a
    /// leader. Until the archive is verified nothing is known about it but that it arrived whole.
    ///
    /// Nomad's answer has to say what the archive's digest is, as it has to for the genuine client
    /// (`hashicorp/nomad:api/operator.go`): [`Error::Foreign`] if it doesn't, before anything is received.
    pub async fn save(&self, stale: bool) -> Result<Download, Error> {
        let mut query = self.query();
        query.extend(stale.then_some(("stale", None)));
        let request = self.http.request(Method::GET, self.path(), &query).timeout(TRANSFER_MAX);
        let response = timeout(SILENCE_MAX, self.http.send(request))
            .await
            .map_err(|_| Error::Stalled { received: 0, waited: SILENCE_MAX })??;
        let capture = match self.product {
            Product::Consul => of_consul(response.headers()),
            Product::Nomad => {
                let digest = digest(response.headers()).map_err(|cause| self.http.foreign(cause.into()))?;
                Capture { digest: Some(digest), warnings: warnings(response.headers()), ..Capture::default() }
            }
        };
        Ok(Download::new(response, capture))
    }

    /// Replaces the whole state by the archive's. A genuine server begins at once: an error here, other than
    /// [`Error::Refused`], leaves unknown what the server's state is. Returns what a server of ours warns of.
    pub async fn restore(&self, archive: Upload, options: RestoreOptions) -> Result<Vec<String>, Error> {
        let mut query = self.query();
        query.extend(options.allow_missing_keys.then_some(("allow-missing-keys", None)));
        let request = self.http.request(Method::PUT, self.path(), &query);
        let response = self.http.send(archive.attach(request)).await?;
        Ok(warnings(response.headers()))
    }

    fn path(&self) -> &'static [&'static str] {
        match self.product {
            Product::Consul => &["v1", "snapshot"],
            Product::Nomad => &["v1", "operator", "snapshot"],
        }
    }

    fn query(&self) -> Vec<(&str, Option<&str>)> {
        let name = match self.product {
            Product::Consul => "dc",
            Product::Nomad => "region",
        };
        self.place.iter().map(|place| (name, Some(place.as_str()))).collect()
    }
}

fn of_consul(headers: &HeaderMap) -> Capture {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    Capture {
        index: header("x-consul-index").and_then(|text| text.parse().ok()),
        known_leader: header("x-consul-knownleader").and_then(|text| text.parse().ok()),
        last_contact_ms: header("x-consul-lastcontact").and_then(|text| text.parse().ok()),
        digest: None,
        warnings: warnings(headers),
    }
}

fn digest(headers: &HeaderMap) -> Result<Digest, &'static str> {
    let header = headers.get("digest").ok_or("it has no Digest header")?;
    let digest = header.to_str().ok().and_then(Digest::parse);
    digest.ok_or("its Digest header is neither sha-256=… nor sha-512=…")
}

fn warnings(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all("x-stillpoint-warning").iter();
    values.filter_map(|value| Some(value.to_str().ok()?.to_owned())).collect()
}

/// A server's error is its body, in plain text.
fn refusal(status: u16, body: &[u8]) -> Refusal {
    let message = String::from_utf8_lossy(body).trim().to_owned();
    Refusal { status, kind: Kind::of_status(status), message, hint: None }
}
