//! The servers that commands talk to, opened with the credentials that belong to them.

use std::path::Path;
use std::{env, fs, io};

use archive::state::Product;
use client::hashicorp::{self, Settings};
use client::{Address, Download, Names, Tls, Token, native, qdrant};

use crate::args::{Connection, TlsArgs};
use crate::exit::{ExitCode, Failure};
use crate::output::Output;
use crate::target::Target;

/// For whom the environment has certificates unverified.
const ANYONE: &str = "the environment says to take any certificate: whoever stands between us and the server can \
                      read and change the archive and the token";

/// A server that saves and restores records.
#[derive(Debug)]
pub(crate) enum Remote {
    /// A Stillpoint server, through the native API.
    Native { client: native::Client, scope: Product },
    /// A server of Consul's or Nomad's, genuine or ours. The token is kept to see whether a restore would lose it.
    Server { client: hashicorp::Client, token: Option<Token> },
}

impl Remote {
    /// Opens the target, which is of this product. Nothing is sent yet.
    pub(crate) fn open(
        product: Product,
        target: &Target,
        connection: &Connection,
        output: Output,
    ) -> anyhow::Result<Remote> {
        let url = match target {
            Target::Scope(_) => {
                return Ok(Remote::Native { client: native(connection, output)?, scope: product });
            }
            Target::Server(url) => url,
        };
        let settings = Settings::read(product, url.address.clone(), |name| env::var(name).ok())
            .map_err(|error| Failure::usage(error.to_string()))?;
        let Settings { address, tls, token, place } = settings;
        let token = match &connection.token_file {
            Some(path) => token_of(path)?,
            None => token,
        };
        let tls = tls_of(&connection.tls).or(tls);
        let place = url.place.clone().or(place);
        let client = hashicorp::Client::new(product, address, &tls, token.as_ref(), place)?;
        warn_of_anyone(&tls, client.address(), output);
        Ok(Remote::Server { client, token })
    }

    /// Asks for an archive. `level` is for a native server alone.
    pub(crate) async fn save(&self, stale: bool, level: Option<u8>) -> anyhow::Result<Download> {
        Ok(match self {
            Remote::Native { client, scope } => client.save(name(*scope), stale, level).await?,
            Remote::Server { client, .. } => client.save(stale).await?,
        })
    }

    /// Where it is, for a person.
    pub(crate) fn place(&self) -> String {
        match self {
            Remote::Native { client, scope } => format!("{} of {}", name(*scope), client.address()),
            Remote::Server { client, .. } => client.address().to_string(),
        }
    }
}

/// What the native API calls a product's scope.
pub(crate) fn name(product: Product) -> &'static str {
    match product {
        Product::Consul => "consul",
        Product::Nomad => "nomad",
    }
}

/// A server that saves and restores points.
#[derive(Debug)]
pub(crate) enum Points {
    /// A Stillpoint server, through the native API.
    Native(native::Client),
    /// A server of Qdrant's, genuine or ours.
    Server(qdrant::Client),
}

impl Points {
    /// Opens the target, which is of this scope. Nothing is sent yet.
    pub(crate) fn open(
        scope: &qdrant::Scope,
        target: &Target,
        connection: &Connection,
        output: Output,
    ) -> anyhow::Result<Points> {
        let url = match target {
            Target::Scope(_) => return Ok(Points::Native(native(connection, output)?)),
            Target::Server(url) => url,
        };
        let key = match &connection.token_file {
            Some(path) => token_of(path)?,
            None => Token::parse(&env::var(qdrant::API_KEY).unwrap_or_default())?,
        };
        let tls = tls_of(&connection.tls).or(tls_variables("QDRANT")?);
        let address = match &url.address {
            Some(address) => address.clone(),
            None => Address::parse("127.0.0.1", qdrant::DEFAULT_PORT).map_err(client::Error::from)?,
        };
        warn_of_anyone(&tls, &address, output);
        Ok(Points::Server(qdrant::Client::new(address, &tls, key.as_ref(), scope.clone())?))
    }

    /// Where it is, for a person.
    pub(crate) fn place(&self, scope: &qdrant::Scope) -> String {
        let address = match self {
            Points::Native(client) => client.address(),
            Points::Server(client) => client.address(),
        };
        format!("{scope} of {address}")
    }
}

/// A client of the native API.
pub(crate) fn native(connection: &Connection, output: Output) -> anyhow::Result<native::Client> {
    let token = native_token(connection)?;
    let tls = tls_of(&connection.tls).or(tls_variables("STILLPOINT")?);
    warn_of_anyone(&tls, &connection.address, output);
    Ok(native::Client::new(connection.address.clone(), &tls, token.as_ref())?)
}

/// What the variables with this prefix say.
fn tls_variables(prefix: &'static str) -> Result<Tls, Failure> {
    Tls::read(&Names::of(prefix), |name| env::var(name).ok())
        .map_err(|error| Failure::usage(error.to_string()))
}

fn warn_of_anyone(tls: &Tls, address: &Address, output: Output) {
    if tls.trust_anyone && address.is_tls() {
        output.warn(ANYONE);
    }
}

/// What the arguments say.
fn tls_of(args: &TlsArgs) -> Tls {
    let TlsArgs { ca_file, ca_path, client_cert, client_key, tls_server_name } = args.clone();
    Tls { ca_file, ca_path, client_cert, client_key, server_name: tls_server_name, trust_anyone: false }
}

/// The token of `--token-file`, else of the environment, else of the local server's data directory. Without
/// any the server will say what it thinks of that.
fn native_token(connection: &Connection) -> anyhow::Result<Option<Token>> {
    if let Some(path) = &connection.token_file {
        return token_of(path);
    }
    if let Some(token) =
        env::var("STILLPOINT_TOKEN").ok().map(|text| Token::parse(&text)).transpose()?.flatten()
    {
        return Ok(Some(token));
    }
    let path = connection.data_dir.join("token");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Token::parse(&text)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let message = format!("read the token from {}: {error}", path.display());
            Err(Failure::new(ExitCode::Denied, message).hint("only the server's own user may read it").into())
        }
    }
}

/// The token in the file that the arguments name.
fn token_of(path: &Path) -> anyhow::Result<Option<Token>> {
    let text = fs::read_to_string(path).map_err(|error| client::Error::TokenFile {
        path: path.display().to_string(),
        cause: error.to_string(),
    })?;
    Ok(Token::parse(&text)?)
}
