//! A listener whose connections are TLS from the first byte. Handshakes go on beside one another: one that
//! stands still keeps nobody waiting.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::material::Current;

/// How long a handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// How many may be under way. One more ends the oldest: whoever is slow on purpose is among the oldest.
const HANDSHAKES_MAX: usize = 512;

/// What a client is told that forgot the `s` of `https`, as by `golang/go:src/net/http/server.go`.
const PLAIN_ANSWER: &[u8] =
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// How much is read away of what a client sends that is not let in, so that it gets to hear why: a socket that
/// is closed over unread bytes takes back what it sent.
const PARTING_BYTES_MAX: u64 = 1 << 20;

type Connection = (TlsStream<TcpStream>, SocketAddr);

/// Accepts TCP connections and yields those whose handshake has succeeded.
pub(super) struct Handshakes {
    listener: TcpListener,
    current: Current,
    /// Dropped with the listener, which ends them.
    running: JoinSet<Option<Connection>>,
    /// Oldest first; some may have ended.
    by_age: VecDeque<AbortHandle>,
    running_max: usize,
}

impl Handshakes {
    pub(super) fn new(listener: TcpListener, current: Current) -> Handshakes {
        let (running, by_age) = (JoinSet::new(), VecDeque::new());
        Handshakes { listener, current, running, by_age, running_max: HANDSHAKES_MAX }
    }

    fn begin(&mut self, stream: TcpStream, peer: SocketAddr) {
        if self.by_age.len() == self.running_max {
            self.by_age.retain(|handshake| !handshake.is_finished());
        }
        if self.by_age.len() == self.running_max {
            self.by_age.pop_front().inspect(AbortHandle::abort);
        }
        let acceptor = TlsAcceptor::from(self.current.borrow().clone());
        let handshake = async move {
            let stream = match timeout(HANDSHAKE_MAX, shake_hands(acceptor, stream)).await {
                Ok(done) => done,
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            };
            match stream {
                Ok(stream) => Some((stream, peer)),
                Err(error) => {
                    tracing::debug!(%peer, %error, "no TLS connection came about");
                    None
                }
            }
        };
        self.by_age.push_back(self.running.spawn(handshake));
    }
}

impl Listener for Handshakes {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Connection {
        loop {
            tokio::select! {
                (stream, peer) = Listener::accept(&mut self.listener) => self.begin(stream, peer),
                // Those that failed or were ended have nothing to show.
                Some(ended) = self.running.join_next() => if let Ok(Some(connection)) = ended {
                    return connection;
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

async fn shake_hands(acceptor: TlsAcceptor, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    // Archives and answers are flushed when they are whole: nothing is gained by waiting for more.
    stream.set_nodelay(true)?;
    let mut first = [0];
    stream.peek(&mut first).await?;
    // A method's first letter; a handshake begins with a control character.
    if first[0].is_ascii_uppercase() {
        stream.write_all(PLAIN_ANSWER).await?;
        part(stream).await;
        return Err(io::Error::other("the client spoke plain HTTP"));
    }
    match acceptor.accept(stream).into_fallible().await {
        Ok(stream) => Ok(stream),
        Err((error, stream)) => {
            part(stream).await;
            Err(error)
        }
    }
}

/// Ends a connection in the order in which the client hears what was sent last.
async fn part(mut stream: TcpStream) {
    // Whatever fails here, it is over.
    if stream.shutdown().await.is_ok() {
        let _ = tokio::io::copy(&mut stream.take(PARTING_BYTES_MAX), &mut tokio::io::sink()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tls::testing::Authority;
    use tls::{Trust, UnixTime};
    use tokio::sync::watch;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::pki_types::ServerName;

    use super::*;

    /// A listener that lets `running_max` handshakes go on, and one who can connect to it.
    async fn listener(running_max: usize) -> (Handshakes, TlsConnector) {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca");
        let files = authority.issue(&["localhost"]).serve(directory.path(), &authority, false);
        let current = watch::Sender::new(Arc::new(files.load(UnixTime::now()).unwrap())).subscribe();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = tls::client_config(&Trust::File(files.ca.unwrap()), None).unwrap();
        (Handshakes { running_max, ..Handshakes::new(tcp, current) }, Arc::new(client).into())
    }

    #[tokio::test]
    async fn beyond_the_bound_the_oldest_handshake_is_ended() {
        let (mut handshakes, connector) = listener(2).await;
        let address = handshakes.local_addr().unwrap();
        let mut silent = Vec::new();
        for _ in 0..3 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let client = async {
            let stream = TcpStream::connect(address).await.unwrap();
            connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
        };
        tokio::join!(handshakes.accept(), client);
        for stream in &mut silent[..2] {
            assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0, "it was ended");
        }
        assert_eq!(handshakes.running.len(), 1, "the youngest of the silent ones goes on");
    }
}
