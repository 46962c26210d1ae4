//! A node whose gRPC API is served on a loopback port.

use std::net::SocketAddr;
use std::time::Duration;

use dialects::observed;
use dialects::qdrant::{Keys, grpc};
use node::{Node, Parts, Settings};
use qdrant_client::qdrant::collections_client::CollectionsClient;
use qdrant_client::{Qdrant, QdrantError};
use tempfile::TempDir;
use tonic::Code;
use tonic::transport::Channel;

pub(crate) struct Server {
    node: Node,
    address: SocketAddr,
    _dir: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Server {
        Server::with(Keys::default()).await
    }

    pub(crate) async fn with(keys: Keys) -> Server {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::open(Settings::new(dir.path()), Parts::alone()).await.unwrap();
        node.wait_for_leader().await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = observed(&node, "qdrant", grpc::operation, grpc::router(node.clone(), keys));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Server { node, address, _dir: dir }
    }

    pub(crate) async fn stop(self) {
        self.node.shutdown().await;
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn client(&self) -> Qdrant {
        let client = Qdrant::from_url(&self.url()).skip_compatibility_check();
        client.timeout(Duration::from_secs(60)).build().unwrap()
    }

    pub(crate) fn client_with(&self, key: &str) -> Qdrant {
        Qdrant::from_url(&self.url()).skip_compatibility_check().api_key(key).build().unwrap()
    }

    /// The service that changes several aliases at once, for which the client has no call of its own.
    pub(crate) async fn collections(&self) -> CollectionsClient<Channel> {
        CollectionsClient::connect(self.url()).await.unwrap()
    }
}

/// What a refused call was answered with.
#[track_caller]
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, QdrantError>) -> (Code, String) {
    match result.unwrap_err() {
        QdrantError::ResponseError { status } => (status.code(), status.message().to_owned()),
        error => panic!("{error}"),
    }
}
