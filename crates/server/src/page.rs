//! The page at `/`: files that lie in the program, and what a browser may do with them.
//!
//! There is no build step and nothing from elsewhere: the policy forbids scripts and styles that are not these files, so
//! what a model writes is text in a browser whatever it looks like.

use std::sync::LazyLock;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::Refusal;
use crate::tail::Tail;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The file that `/` is.
const FIRST: &str = "index.html";

macro_rules! files {
    ($($name:literal)*) => { [$(($name, include_bytes!(concat!("../page/", $name)))),*] };
}

/// Their names and what is in them.
static FILES: &[(&str, &[u8])] = &files![
    "index.html" "style.css"
    "answering.js" "api.js" "chart.js" "chat.js" "dashboard.js" "dom.js" "exporting.js" "main.js" "markdown.js"
    "metrics.js" "models.js" "parameters.js" "store.js"
];

/// What tells this state of all files from others: a page of two states would be none.
static TAG: LazyLock<HeaderValue> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for (_, text) in FILES {
        hash.update(text);
    }
    let tag = hash.finalize().iter().take(8).fold(0, |tag: u64, byte| tag << 8 | u64::from(*byte));
    HeaderValue::from_str(&format!("\"{tag:016x}\"")).unwrap_or(HeaderValue::from_static("\"page\""))
});

/// `GET /`.
pub(crate) async fn first(headers: HeaderMap) -> Result<Response, Refusal> {
    file(FIRST, &headers)
}

/// `GET /page/NAME`.
pub(crate) async fn part(Tail(name): Tail, headers: HeaderMap) -> Result<Response, Refusal> {
    file(&name, &headers)
}

fn file(name: &str, headers: &HeaderMap) -> Result<Response, Refusal> {
    let Some((name, text)) = FILES.iter().find(|(known, _)| *known == name) else {
        let message = format!("the page has no file {name:.100?}");
        return Err(Refusal::http(StatusCode::NOT_FOUND, "unknown_route", message));
    };
    let kind = match name.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        _ => "text/javascript; charset=utf-8",
    };
    let about = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        // Asked for each time, and sent if it is another one: a new server has its own page.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (ETAG, TAG.clone()),
    ];
    if headers.get(IF_NONE_MATCH).is_some_and(|known| *known == *TAG) {
        return Ok((StatusCode::NOT_MODIFIED, about).into_response());
    }
    Ok((about, *text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_names_no_file_that_is_not_there() {
        assert!(FILES.iter().map(|(_, text)| text.len()).sum::<usize>() <= 200_000);
        let quoted = FILES.iter().flat_map(|(_, text)| str::from_utf8(text).unwrap().split('"'));
        let named: Vec<&str> =
            quoted.filter_map(|it| it.strip_prefix("./").or_else(|| it.strip_prefix("page/"))).collect();
        assert!(named.len() > 20);
        for name in named {
            assert!(FILES.iter().any(|(known, _)| *known == name), "{name}");
        }
    }

    #[test]
    fn no_file_reads_a_text_as_html_or_as_a_script() {
        for (name, text) in FILES {
            let text = str::from_utf8(text).unwrap();
            for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
                assert!(!text.contains(word), "{name} has {word}");
            }
            assert!(!text.contains("style=") && !text.contains("javascript:"), "{name}");
        }
    }
}
