//! `GET /openapi.json`: the table of routes, as programs read it.
//!
//! It is made of that table, of the types that requests are read as, and of those that refusals are told by, so that it
//! cannot say anything else than they do. The fields of answers are not in it: they are those of the protocols, whose
//! publishers describe them.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::described::described;
use crate::form::Form;
use crate::guard::KEY_HEADERS;
use crate::options::Scope;
use crate::route::Route;
use crate::{anthropic, guide, ollama, openai};

/// The document of a server with these routes. Where it has no keys, nothing has to be opened.
pub(crate) fn document(routes: &[Route], has_keys: bool) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    schemas.extend([Form::OpenAi, Form::Guide, Form::Ollama, Form::Anthropic].map(refused));
    for route in routes {
        let path = paths.entry(route.path.replace("{*", "{")).or_insert_with(|| json!({}));
        path[route.method.to_ascii_lowercase()] = operation(route, has_keys, &mut schemas);
    }
    let mut securing = json!({ "Authorization": { "type": "http", "scheme": "bearer" } });
    for name in KEY_HEADERS {
        securing[name] = json!({ "type": "apiKey", "in": "header", "name": name });
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "trillm", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": { "schemas": schemas, "securitySchemes": securing },
    })
}

fn operation(route: &Route, has_keys: bool, schemas: &mut Map<String, Value>) -> Value {
    let mut said = json!({
        "operationId": format!("{} {}", route.method, route.path),
        "responses": { "200": { "description": "An answer" } },
        "security": security(route.scope, has_keys),
    });
    let (form, _) = refused(Form::of_path(route.path));
    said["responses"]["default"] = json!({
        "description": "A refusal; who sends anthropic-version has it in the form of that protocol",
        "content": content(&["application/json"], &json!({ "$ref": format!("#/components/schemas/{form}") })),
    });
    if let Some((_, rest)) = route.path.split_once("{*") {
        said["parameters"] = json!([{
            "name": rest.trim_end_matches('}'),
            "in": "path",
            "required": true,
            "description": "May have slashes, as %2F too",
            "schema": { "type": "string", "minLength": 1 },
        }]);
    }
    if let Some(known) = described(route) {
        said["summary"] = known.summary.into();
        said["responses"]["200"]["content"] = content(known.gives, &json!({}));
        if let Some(takes) = known.takes {
            schemas.extend(takes.named);
            said["requestBody"] = json!({ "required": true, "content": content(&["application/json"], &takes.schema) });
        }
    }
    said
}

/// Any one of the headers opens a route, with a key for at least that.
fn security(scope: Scope, has_keys: bool) -> Value {
    let role = match scope {
        Scope::Open => return json!([]),
        Scope::Use => "use",
        Scope::Admin => "admin",
    };
    let nothing = (!has_keys).then(|| json!({}));
    let headers = ["Authorization"].into_iter().chain(KEY_HEADERS).map(|name| json!({ name: [role] }));
    nothing.into_iter().chain(headers).collect()
}

fn content(kinds: &[&str], schema: &Value) -> Value {
    Value::Object(kinds.iter().map(|kind| ((*kind).to_owned(), json!({ "schema": schema }))).collect())
}

/// How a protocol tells a refusal: its name here, and its schema.
fn refused(form: Form) -> (String, Value) {
    fn schema<T: ToSchema>() -> Value {
        json!(T::schema())
    }
    let (name, schema) = match form {
        Form::OpenAi => ("OpenAiRefusal", schema::<openai::errors::Refused>()),
        Form::Guide => ("GuideRefusal", schema::<guide::Refused>()),
        Form::Ollama => ("OllamaRefusal", schema::<ollama::errors::Refused>()),
        Form::Anthropic => ("AnthropicRefusal", schema::<anthropic::errors::Refused>()),
    };
    (name.to_owned(), schema)
}
