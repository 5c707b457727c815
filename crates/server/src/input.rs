//! What a client sends: read within bounds, and checked, with the field that is wrong.

use std::collections::HashSet;
use std::error::Error;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use trillm_core::Class;

use crate::Refusal;
use crate::app::App;
use crate::aside::aside;
use crate::bodies::NoRoom;

/// A request's body, and the names of fields that nobody here knows: they are left out, as other servers do it.
pub(crate) struct Input<T> {
    pub(crate) fields: T,
    pub(crate) unknown: Vec<String>,
}

/// Bodies up to this many bytes are read within a millisecond or so, which an event loop can wait for.
pub(crate) const SHORT: usize = 32 << 10;

/// When to try again if there is no room for the bodies of all.
const SOON: Duration = Duration::from_secs(1);

/// Reads a body within the bounds that the options set.
pub(crate) async fn bytes(app: &App, body: Body) -> Result<Vec<u8>, Refusal> {
    let (limit, patience) = (app.options.body, app.options.patience);
    let too_large = || {
        let message = format!("the body is over the limit of {limit} bytes");
        Refusal::http(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    };
    // A client that says so beforehand is not waited for, nor asked to send it.
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let read = tokio::time::timeout(patience, Limited::new(body, limit).collect()).await;
    let read = read.map_err(|_| {
        let message = format!("the body did not come within {} s", patience.as_secs_f64());
        Refusal::http(StatusCode::REQUEST_TIMEOUT, "body_timeout", message)
    })?;
    match read {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) if has_no_room(&*error) => {
            let message = format!("the bodies of requests take {} bytes, the limit", app.options.bodies);
            Err(Refusal::http(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message).after(SOON))
        }
        Err(error) => {
            Err(Refusal::http(StatusCode::BAD_REQUEST, "body_broken", format!("the body broke off: {error}")))
        }
    }
}

/// Whether the room for bodies is the cause of an error.
fn has_no_room(error: &(dyn Error + 'static)) -> bool {
    error.is::<NoRoom>() || error.source().is_some_and(has_no_room)
}

/// Reads a request from a body: a long one where that may take its time.
pub(crate) async fn request<T: Send + 'static>(
    app: &App,
    body: Body,
    read: impl FnOnce(&[u8]) -> Result<Input<T>, Refusal> + Send + 'static,
) -> Result<(Input<T>, usize), Refusal> {
    let body = bytes(app, body).await?;
    let size = body.len();
    let input = if size <= SHORT { read(&body)? } else { aside(move |_| read(&body)).await? };
    Ok((input, size))
}

/// Reads JSON. What is wrong with it is said of the field.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<Input<T>, Refusal> {
    // A list would be taken for fields in their order.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(Refusal::new(Class::InvalidRequest, "invalid_json", "the body is no JSON object"));
    }
    let (mut unknown, mut track) = (Vec::new(), serde_path_to_error::Track::new());
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let tracked = serde_path_to_error::Deserializer::new(&mut text, &mut track);
    let read = serde_ignored::deserialize(tracked, |path| unknown.push(name(&path)));
    let whole = read.and_then(|fields| text.end().map(|()| fields));
    whole.map(|fields| Input { fields, unknown }).map_err(|error| {
        let field = track.path().to_string();
        if !error.is_data() || field == "." {
            return Refusal::new(Class::InvalidRequest, "invalid_json", format!("the body is no request: {error}"));
        }
        Refusal::new(Class::InvalidRequest, "invalid_parameter", format!("{field} is wrong: {error}")).about(&field)
    })
}

/// A field's path, without the marks of what may be left out.
fn name(path: &serde_ignored::Path<'_>) -> String {
    path.to_string().replace("?.", "")
}

/// Reads two halves of one request's fields; unknown are those that neither has.
pub(crate) fn halves<A: DeserializeOwned, B: DeserializeOwned>(bytes: &[u8]) -> Result<Input<(A, B)>, Refusal> {
    let (first, second) = (json::<A>(bytes)?, json::<B>(bytes)?);
    let others: HashSet<String> = second.unknown.into_iter().collect();
    let unknown = first.unknown.into_iter().filter(|name| others.contains(name)).collect();
    Ok(Input { fields: (first.fields, second.fields), unknown })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug)]
    struct Fields {
        #[expect(dead_code, reason = "only its type is asked for")]
        name: String,
        #[expect(dead_code, reason = "only its type is asked for")]
        list: Option<Vec<u32>>,
        #[expect(dead_code, reason = "only its type is asked for")]
        inner: Option<Box<Fields>>,
    }

    #[test]
    fn what_is_wrong_is_said_of_the_field_and_what_is_unknown_is_listed() {
        let read =
            json::<Fields>(br#"{"name": "a", "other": {"x": 1}, "list": [1], "inner": {"name": "b", "shape": 1}}"#)
                .unwrap_or_else(|_| panic!("valid"));
        assert_eq!(read.unknown, ["other", "inner.shape"]);
        for (text, field, code) in [
            (r#"{"name": "a", "list": [1, "2"]}"#, Some("list[1]"), "invalid_parameter"),
            (r#"{"name": 1}"#, Some("name"), "invalid_parameter"),
            ("{}", None, "invalid_json"),
            ("{", None, "invalid_json"),
            (r#"["a", [1]]"#, None, "invalid_json"),
            (r#"{"name": "a"} x"#, None, "invalid_json"),
        ] {
            let Err(refusal) = json::<Fields>(text.as_bytes()) else { panic!("{text}") };
            assert_eq!((refusal.field.as_deref(), &*refusal.code), (field, code), "{text}: {}", refusal.message);
        }
    }
}
