//! Why a request is not answered, before a protocol puts it into its own words.

use std::borrow::Cow;
use std::time::Duration;

use axum::Extension;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use trillm_core::{Class, Coded};

/// Why a request is not answered.
#[derive(Clone, PartialEq, Debug)]
pub struct Refusal {
    kind: Kind,
    /// A stable, snake-case name.
    pub code: Cow<'static, str>,
    /// What was expected, and what was found.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The field of the request that is to blame: `messages[2].content`.
    pub field: Option<String>,
    /// When to try again.
    pub retry_after: Option<Duration>,
}

/// What kind of thing went wrong: with a model, or with HTTP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Model(Class),
    Http(StatusCode),
    /// What is fetched did not come.
    Download(StatusCode),
}

/// How long a client waits before it tries again where a queue is full.
const SOON: Duration = Duration::from_secs(1);

impl Refusal {
    /// What an error of a model's is to a client.
    pub fn new(class: Class, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let retry_after = matches!(class, Class::Overloaded | Class::Closed).then_some(SOON);
        Self {
            kind: Kind::Model(class),
            code: code.into(),
            message: message.into(),
            hint: None,
            field: None,
            retry_after,
        }
    }

    /// What an error is to a client.
    pub fn of(error: &impl Coded) -> Self {
        let (class, code) = error.kind();
        Self { hint: error.hint(), ..Self::new(class, code, error.to_string()) }
    }

    /// What a download says that failed, by its code: what is not there is an answer of its own, and so is what came too
    /// late: what arrived is kept, so that trying again goes on from there.
    pub fn download(code: String, message: String) -> Self {
        let status = match &*code {
            "model_not_found" => return Self::new(Class::NotFound, code, message),
            "download_timeout" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_GATEWAY,
        };
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(SOON);
        let kind = Kind::Download(status);
        Self { kind, code: code.into(), message, hint: None, field: None, retry_after }
    }

    /// What is wrong with HTTP itself.
    pub(crate) fn http(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind: Kind::Http(status), code: code.into(), message, hint: None, field: None, retry_after: None }
    }

    /// What those are told who come, or still run, when the server stops.
    pub(crate) fn stopping() -> Self {
        Self::http(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the server is about to stop").after(SOON)
    }

    /// A field that has not the value it should have.
    pub(crate) fn field(field: &str, found: &str, expected: &str) -> Self {
        let message = format!("{field} is {found}, expected {expected}");
        Self::new(Class::InvalidRequest, "invalid_parameter", message).about(field)
    }

    /// What a client may ask for elsewhere, and not here.
    pub(crate) fn unsupported(what: &str, field: &str) -> Self {
        Self::new(Class::Unsupported, "unsupported", format!("{what} is not supported by this server")).about(field)
    }

    /// A model that is not here.
    pub(crate) fn no_model(name: &str) -> Self {
        Self::new(Class::NotFound, "model_not_found", format!("there is no model {name:.200} here")).about("model")
    }

    /// The same with the field that is to blame.
    #[must_use]
    pub(crate) fn about(mut self, field: &str) -> Self {
        self.field.get_or_insert_with(|| field.to_owned());
        self
    }

    /// The same with advice.
    #[must_use]
    pub fn advising(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with the time after which to try again.
    #[must_use]
    pub(crate) fn after(mut self, time: Duration) -> Self {
        self.retry_after = Some(time);
        self
    }

    /// What went wrong with a model; `None` for what has to do with HTTP alone.
    pub(crate) fn class(&self) -> Option<Class> {
        match self.kind {
            Kind::Model(class) => Some(class),
            // A model that could not be fetched is, to the journal, one that is not there.
            Kind::Download(_) => Some(Class::NotFound),
            Kind::Http(_) => None,
        }
    }

    /// The status of an answer that has not begun.
    pub(crate) fn status(&self) -> StatusCode {
        match self.kind {
            Kind::Http(status) | Kind::Download(status) => status,
            Kind::Model(Class::Store) if self.code == "disk_full" => StatusCode::INSUFFICIENT_STORAGE,
            Kind::Model(class) => match class {
                Class::NotFound => StatusCode::NOT_FOUND,
                Class::InvalidRequest | Class::ContextOverflow | Class::ChatTemplate | Class::Unsupported => {
                    StatusCode::BAD_REQUEST
                }
                Class::Overloaded | Class::Closed | Class::OutOfMemory => StatusCode::SERVICE_UNAVAILABLE,
                Class::MemoryRefused => StatusCode::INSUFFICIENT_STORAGE,
                Class::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
                // Nobody is left to read it.
                Class::Cancelled => StatusCode::REQUEST_TIMEOUT,
                Class::Digest => StatusCode::BAD_GATEWAY,
                Class::Format | Class::Load | Class::Forked | Class::Engine | Class::Store => {
                    StatusCode::INTERNAL_SERVER_ERROR
                }
            },
        }
    }

    /// The message, and what to do about it behind it.
    pub(crate) fn text(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}; {hint}", self.message),
            None => self.message.clone(),
        }
    }
}

/// For the guard, which puts it into the words of whoever asked.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status(), Extension(self)).into_response()
    }
}

/// When to try again, in whole seconds.
pub(crate) fn retry_after(headers: &mut HeaderMap, after: Duration) {
    headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs_f64().ceil().max(1.0) as u64));
}

impl From<trillm_llm::Error> for Refusal {
    fn from(error: trillm_llm::Error) -> Self {
        match error {
            trillm_llm::Error::Core(error) => error.into(),
            error => Self::of(&error),
        }
    }
}

impl From<trillm_core::Error> for Refusal {
    fn from(error: trillm_core::Error) -> Self {
        let refusal = Self::of(&error);
        match error {
            trillm_core::Error::InvalidParameter { name, .. } => refusal.about(name),
            _ => refusal,
        }
    }
}

impl From<trillm_text::Error> for Refusal {
    fn from(error: trillm_text::Error) -> Self {
        Self::of(&error)
    }
}

impl From<trillm_runtime::Error> for Refusal {
    fn from(error: trillm_runtime::Error) -> Self {
        Self::of(&error)
    }
}

impl From<trillm_store::Error> for Refusal {
    fn from(error: trillm_store::Error) -> Self {
        Self::of(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_told_from_what_does_not_come() {
        let status = |code: &str| Refusal::download(code.into(), String::new()).status().as_u16();
        let all = ["model_not_found", "download_failed", "access_denied", "redirect_refused", "download_timeout"];
        assert_eq!(all.map(status), [404, 502, 502, 502, 503]);
        assert!(Refusal::download("download_timeout".into(), String::new()).retry_after.is_some());
        assert_eq!(Refusal::new(Class::Store, "disk_full", "").status(), StatusCode::INSUFFICIENT_STORAGE);
        assert_eq!(Refusal::new(Class::Store, "store_io", "").status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
