//! Other names of collections.
//!
//! Follows `qdrant/qdrant:lib/storage/src/content_manager/collection_meta_ops.rs`.

use axum::response::IntoResponse;
use node::collections::AliasChange;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, Outcome, result};
use super::call::{Call, nowhere};
use super::table::{Right, Table};

pub(super) fn routes(table: Table) -> Table {
    table
        // A collection may be called `aliases`, so the path is that of a collection.
        .post("/collections/{name}", Right::Manage, change)
        .get("/aliases", Right::Key, list)
        .get("/collections/{name}/aliases", Right::PointsRead, list_of_one)
}

#[derive(Debug, Deserialize)]
struct ChangeAliasesOperation {
    actions: Vec<AliasOperations>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "the words of the API")]
enum AliasOperations {
    CreateAlias { collection_name: String, alias_name: String },
    DeleteAlias { alias_name: String },
    RenameAlias { old_alias_name: String, new_alias_name: String },
}

#[derive(Serialize)]
struct CollectionsAliasesResponse {
    aliases: Vec<AliasDescription>,
}

#[derive(Serialize)]
struct AliasDescription {
    alias_name: String,
    collection_name: String,
}

async fn change(mut call: Call) -> Outcome {
    if call.collection_name() != "aliases" {
        return Ok(Answer::Whole(nowhere().into_response()));
    }
    call.params.meta()?;
    let request: ChangeAliasesOperation = call.unvetted().await?;
    let changes = request.actions.into_iter().map(|action| match action {
        AliasOperations::CreateAlias { collection_name, alias_name } => {
            AliasChange::Create { alias: alias_name, collection: collection_name }
        }
        AliasOperations::DeleteAlias { alias_name } => AliasChange::Delete { alias: alias_name },
        AliasOperations::RenameAlias { old_alias_name, new_alias_name } => {
            AliasChange::Rename { old: old_alias_name, new: new_alias_name }
        }
    });
    call.app.node.change_aliases(changes.collect()).await?;
    result(&true)
}

async fn list(call: Call) -> Outcome {
    aliases(&call, |_| true).await
}

async fn list_of_one(call: Call) -> Outcome {
    aliases(&call, |collection| collection == call.collection_name()).await
}

/// Aliases of collections that whoever asks may see.
async fn aliases(call: &Call, is_asked: impl Fn(&str) -> bool) -> Outcome {
    let aliases = call.app.node.aliases().await?.into_iter();
    let visible = aliases.filter(|(_, collection)| is_asked(collection) && call.access.sees(collection));
    let describe = |(alias_name, collection_name)| AliasDescription { alias_name, collection_name };
    result(&CollectionsAliasesResponse { aliases: visible.map(describe).collect() })
}
