//! Indexes of payload fields.
//!
//! Follows `qdrant/qdrant:src/actix/api/update_api.rs` and `src/common/update.rs`.

use node::points::engine::{JsonPath, PayloadFieldSchema};
use serde::Deserialize;
use validator::Validate;

use super::answer::{Outcome, result};
use super::call::Call;
use super::failure::Failure;
use super::points::UpdateResult;
use super::table::{Right, Table};

pub(super) fn routes(table: Table) -> Table {
    table.put("/collections/{name}/index", Right::CollectionWrite, create).delete(
        "/collections/{name}/index/{field_name}",
        Right::CollectionWrite,
        delete,
    )
}

#[derive(Debug, Deserialize, Validate)]
struct CreateFieldIndex {
    field_name: JsonPath,
    #[serde(alias = "field_type")]
    #[validate(nested)]
    field_schema: Option<PayloadFieldSchema>,
}

async fn create(mut call: Call) -> Outcome {
    let wait = call.params.update()?;
    let request: CreateFieldIndex = call.json().await?;
    let Some(schema) = request.field_schema else {
        let text = "Can't auto-detect field type, please specify `field_schema` in the request";
        return Err(Failure::bad_request(text));
    };
    let field = request.field_name.to_string();
    let updated = call.collection().await?.create_index(&field, schema).await?;
    result(&UpdateResult::new(updated, wait))
}

async fn delete(call: Call) -> Outcome {
    let wait = call.params.update()?;
    let given = call.path("field_name").unwrap_or_default();
    let field: JsonPath = given.parse().map_err(|()| {
        Failure::bare(format!("Deserialize error in path parameters: Invalid json path: '{given}'"))
    })?;
    let updated = call.collection().await?.delete_index(&field.to_string()).await?;
    result(&UpdateResult::new(updated, wait))
}
