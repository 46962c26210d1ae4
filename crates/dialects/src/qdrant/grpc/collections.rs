//! `qdrant.Collections`: collections and aliases, made, changed, listed and removed.

use node::collections::AliasChange;
use node::{Error, Kind};
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::alias_operations::Action;
use qdrant_client::qdrant::collections_server::Collections;
use tonic::{Request, Response};

use super::check::{Faults, Result, all, required};
use super::face::{Asked, Face, Reply};
use super::status::{failed, unserved};
use super::{info, settings};
use crate::qdrant::access::Need;
use crate::qdrant::unserved::Unserved;

#[tonic::async_trait]
impl Collections for Face {
    async fn get(
        &self,
        request: Request<proto::GetCollectionInfoRequest>,
    ) -> Reply<proto::GetCollectionInfoResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).check()?;
        let collection = self.collection(&asked, Need::PointsRead(&message.collection_name)).await?;
        let info = collection.info().await.map_err(|error| failed(&error))?;
        let result = Some(info::collection(info));
        Ok(Response::new(proto::GetCollectionInfoResponse { result, time: asked.time() }))
    }

    async fn list(
        &self,
        request: Request<proto::ListCollectionsRequest>,
    ) -> Reply<proto::ListCollectionsResponse> {
        let (asked, _) = Asked::open(request)?;
        let names = self.node.collections().await.map_err(|error| failed(&error))?;
        let seen = names.into_iter().filter(|name| asked.sees(name));
        let collections = seen.map(|name| proto::CollectionDescription { name }).collect();
        Ok(Response::new(proto::ListCollectionsResponse { collections, time: asked.time() }))
    }

    async fn create(
        &self,
        request: Request<proto::CreateCollection>,
    ) -> Reply<proto::CollectionOperationResponse> {
        let (asked, message) = Asked::open(request)?;
        let (name, settings) = settings::create(message)?;
        asked.allow(Need::Manage)?;
        done(&asked, self.node.create_collection(&name, settings).await.map(|()| true))
    }

    async fn update(
        &self,
        request: Request<proto::UpdateCollection>,
    ) -> Reply<proto::CollectionOperationResponse> {
        let (asked, message) = Asked::open(request)?;
        let (name, settings) = settings::update(message)?;
        asked.allow(Need::Manage)?;
        done(&asked, self.node.update_collection(&name, settings).await.map(|()| true))
    }

    async fn delete(
        &self,
        request: Request<proto::DeleteCollection>,
    ) -> Reply<proto::CollectionOperationResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).at_least("timeout", message.timeout, 1).check()?;
        asked.allow(Need::Manage)?;
        done(&asked, self.node.delete_collection(&message.collection_name).await)
    }

    async fn update_aliases(
        &self,
        request: Request<proto::ChangeAliases>,
    ) -> Reply<proto::CollectionOperationResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::default().at_least("timeout", message.timeout, 1).check()?;
        let changes = all(message.actions, alias_change)?;
        asked.allow(Need::Manage)?;
        done(&asked, self.node.change_aliases(changes).await.map(|()| true))
    }

    async fn list_collection_aliases(
        &self,
        request: Request<proto::ListCollectionAliasesRequest>,
    ) -> Reply<proto::ListAliasesResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).check()?;
        asked.allow(Need::PointsRead(&message.collection_name))?;
        self.aliases(&asked, |collection| collection == message.collection_name).await
    }

    async fn list_aliases(
        &self,
        request: Request<proto::ListAliasesRequest>,
    ) -> Reply<proto::ListAliasesResponse> {
        let (asked, _) = Asked::open(request)?;
        self.aliases(&asked, |_| true).await
    }

    async fn collection_cluster_info(
        &self,
        request: Request<proto::CollectionClusterInfoRequest>,
    ) -> Reply<proto::CollectionClusterInfoResponse> {
        let (asked, message) = Asked::open(request)?;
        let collection = self.collection(&asked, Need::CollectionRead(&message.collection_name)).await?;
        let shards = collection.shards().await.map_err(|error| failed(&error))?;
        let shard = |shard: node::collections::ShardInfo| proto::LocalShardInfo {
            shard_id: shard.id,
            points_count: shard.points_count,
            state: proto::ReplicaState::Active.into(),
            shard_key: None,
        };
        Ok(Response::new(proto::CollectionClusterInfoResponse {
            peer_id: self.node.identity().id,
            shard_count: shards.len() as u64,
            local_shards: shards.into_iter().map(shard).collect(),
            remote_shards: Vec::new(),
            shard_transfers: Vec::new(),
            resharding_operations: Vec::new(),
            time: asked.time(),
        }))
    }

    async fn collection_exists(
        &self,
        request: Request<proto::CollectionExistsRequest>,
    ) -> Reply<proto::CollectionExistsResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).check()?;
        asked.allow(Need::PointsRead(&message.collection_name))?;
        let exists = match self.node.collection(&message.collection_name).await {
            Ok(_) => true,
            Err(error) if error.kind() == Kind::NotFound => false,
            Err(error) => return Err(failed(&error)),
        };
        let result = Some(proto::CollectionExists { exists });
        Ok(Response::new(proto::CollectionExistsResponse { result, time: asked.time() }))
    }

    async fn update_collection_cluster_setup(
        &self,
        request: Request<proto::UpdateCollectionClusterSetupRequest>,
    ) -> Reply<proto::UpdateCollectionClusterSetupResponse> {
        let (asked, message) = Asked::open(request)?;
        asked.allow(Need::Manage)?;
        self.node.collection(&message.collection_name).await.map_err(|error| failed(&error))?;
        Err(tonic::Status::unimplemented("Qdrant is running in standalone mode"))
    }

    async fn create_shard_key(
        &self,
        request: Request<proto::CreateShardKeyRequest>,
    ) -> Reply<proto::CreateShardKeyResponse> {
        let (asked, _) = Asked::open(request)?;
        asked.allow(Need::Manage)?;
        Err(unserved(Unserved::ShardKeys))
    }

    async fn delete_shard_key(
        &self,
        request: Request<proto::DeleteShardKeyRequest>,
    ) -> Reply<proto::DeleteShardKeyResponse> {
        let (asked, _) = Asked::open(request)?;
        asked.allow(Need::Manage)?;
        Err(unserved(Unserved::ShardKeys))
    }

    async fn list_shard_keys(
        &self,
        request: Request<proto::ListShardKeysRequest>,
    ) -> Reply<proto::ListShardKeysResponse> {
        let (asked, message) = Asked::open(request)?;
        asked.allow(Need::PointsRead(&message.collection_name))?;
        Err(unserved(Unserved::ShardKeys))
    }
}

impl Face {
    /// The aliases of the collections that are wanted, as far as whoever asks may see them.
    async fn aliases(
        &self,
        asked: &Asked,
        wanted: impl Fn(&str) -> bool,
    ) -> Reply<proto::ListAliasesResponse> {
        let all = self.node.aliases().await.map_err(|error| failed(&error))?;
        let aliases = all
            .into_iter()
            .filter(|(_, collection)| wanted(collection) && asked.sees(collection))
            .map(|(alias_name, collection_name)| proto::AliasDescription { alias_name, collection_name })
            .collect();
        Ok(Response::new(proto::ListAliasesResponse { aliases, time: asked.time() }))
    }
}

fn done(
    asked: &Asked,
    result: std::result::Result<bool, Error>,
) -> Reply<proto::CollectionOperationResponse> {
    let result = result.map_err(|error| failed(&error))?;
    Ok(Response::new(proto::CollectionOperationResponse { result, time: asked.time() }))
}

fn alias_change(change: proto::AliasOperations) -> Result<AliasChange> {
    Ok(match required(change.action, "Malformed AliasOperation type")? {
        Action::CreateAlias(create) => {
            AliasChange::Create { alias: create.alias_name, collection: create.collection_name }
        }
        Action::RenameAlias(rename) => {
            AliasChange::Rename { old: rename.old_alias_name, new: rename.new_alias_name }
        }
        Action::DeleteAlias(delete) => AliasChange::Delete { alias: delete.alias_name },
    })
}
