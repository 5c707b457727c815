//! What a route reads, as a schema: that of the very type that it reads.

use serde_json::{Value, json};
use utoipa::ToSchema;

/// The schema of a body, and those that it names.
pub(crate) struct Takes {
    pub(crate) schema: Value,
    pub(crate) named: Vec<(String, Value)>,
}

/// A body that is read as one type.
pub(crate) fn one<T: ToSchema>() -> Takes {
    let mut named = Vec::new();
    T::schemas(&mut named);
    Takes { schema: json!(T::schema()), named: named.into_iter().map(|(name, schema)| (name, json!(schema))).collect() }
}

/// A body whose fields are read as two types.
pub(crate) fn both<A: ToSchema, B: ToSchema>() -> Takes {
    let (first, second) = (one::<A>(), one::<B>());
    let named = first.named.into_iter().chain(second.named).collect();
    Takes { schema: json!({ "allOf": [first.schema, second.schema] }), named }
}
