//! The server under test, as `clients/run` names it in the environment. One test at a time has it, and finds it
//! without collections.

use std::sync::OnceLock;
use std::time::Duration;

use qdrant_client::Qdrant;
use qdrant_client::qdrant::collections_client::CollectionsClient;
use tokio::sync::{Mutex, MutexGuard};
use tonic::transport::Channel;

pub(crate) struct Server {
    rest: String,
    grpc: String,
    _alone: MutexGuard<'static, ()>,
}

impl Server {
    pub(crate) async fn start() -> Server {
        static ALONE: OnceLock<Mutex<()>> = OnceLock::new();
        let alone = ALONE.get_or_init(Mutex::default).lock().await;
        let url = |name: &str| {
            let address = std::env::var(name);
            let address = address
                .unwrap_or_else(|_| panic!("{name} is not set: run clients/run, which starts a server"));
            format!("http://{address}")
        };
        let server =
            Server { rest: url("STILLPOINT_QDRANT"), grpc: url("STILLPOINT_QDRANT_GRPC"), _alone: alone };
        let client = server.client();
        for collection in client.list_collections().await.unwrap().collections {
            client.delete_collection(collection.name).await.unwrap();
        }
        server
    }

    /// Complains on its own account if the server's version does not suit it.
    pub(crate) fn client(&self) -> Qdrant {
        Qdrant::from_url(&self.grpc).timeout(Duration::from_secs(60)).build().unwrap()
    }

    /// The service that changes several aliases at once, for which the client has no call of its own.
    pub(crate) async fn collections(&self) -> CollectionsClient<Channel> {
        CollectionsClient::connect(self.grpc.clone()).await.unwrap()
    }

    /// Where snapshots are fetched.
    pub(crate) fn rest(&self) -> &str {
        &self.rest
    }

    pub(crate) async fn stop(self) {}
}
