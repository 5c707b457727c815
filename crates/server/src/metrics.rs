//! What a server has done, for people and for Prometheus.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use trillm_runtime::Phase;
use trillm_sched::{Percentiles, Stats};

use crate::app::App;

/// `GET /metrics`, in the text format of Prometheus.
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, values: &[(String, f64)]| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP trillm_{name} {help}\n# TYPE trillm_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "trillm_{name}{labels} {value}");
        }
    };
    let one = |value: f64| [(String::new(), value)];
    family("http_requests_total", "counter", "Requests that were answered.", &one(app.counts.requests() as f64));
    family("http_errors_total", "counter", "Requests that were refused or failed.", &one(app.counts.errors() as f64));
    let seconds = "Seconds until answers began, all together.";
    family("http_seconds_total", "counter", seconds, &one(app.counts.seconds()));
    family(
        "uptime_seconds",
        "gauge",
        "How long the server has been running.",
        &one(app.started.elapsed().as_secs_f64()),
    );
    let bodies = "Bytes of large bodies of requests that are read now.";
    family("http_body_bytes", "gauge", bodies, &one(app.taken() as f64));
    if let Some(bytes) = trillm_runtime::resident() {
        let help = "Memory of the process now, mapped files included.";
        family("process_memory_bytes", "gauge", help, &one(bytes as f64));
    }
    let status = app.served.status();
    let label =
        |name: &str| format!("{{model=\"{}\"}}", name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
    let bytes: Vec<_> = status.iter().map(|it| (label(&it.name), it.bytes as f64)).collect();
    family("model_memory_bytes", "gauge", "What a model takes, as it was planned.", &bytes);
    let here = status.iter().filter(|it| it.phase == Phase::Here);
    let counted: Vec<(String, Stats)> = here.filter_map(|it| Some((label(&it.name), it.stats?))).collect();
    for (counter, name, kind, help) in COUNTERS {
        let of = |stats: &Stats| stats.all().find(|(known, _)| *known == counter).map_or(0.0, |(_, n)| n as f64);
        let values: Vec<_> = counted.iter().map(|(label, stats)| (label.clone(), of(stats))).collect();
        family(name, kind, help, &values);
    }
    for (name, help, of) in TIMES {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP trillm_{name} {help}\n# TYPE trillm_{name} summary");
        for (label, stats) in &counted {
            let (label, times) = (label.trim_end_matches('}'), of(stats));
            for (quantile, time) in [("0.5", times.p50), ("0.95", times.p95), ("0.99", times.p99)] {
                let _ = writeln!(text, "trillm_{name}{label},quantile=\"{quantile}\"}} {}", time.as_secs_f64());
            }
            let _ = writeln!(text, "trillm_{name}_count{label}}} {}", times.count);
        }
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// Counters of a model that are shown: as the scheduler calls them, as they are called here, and what they are.
const COUNTERS: [(&str, &str, &str, &str); 8] = [
    ("waiting", "requests_waiting", "gauge", "Requests that wait for a slot."),
    ("running", "requests_running", "gauge", "Requests that hold a slot."),
    ("finished", "requests_finished_total", "counter", "Requests that ended, in whatever way."),
    ("cancelled", "requests_cancelled_total", "counter", "Requests that were cancelled."),
    ("prompt_tokens", "prompt_tokens_total", "counter", "Prompt tokens computed."),
    ("cached_tokens", "cached_tokens_total", "counter", "Prompt tokens found in the cache."),
    ("generated_tokens", "generated_tokens_total", "counter", "Tokens generated."),
    ("preemptions", "preemptions_total", "counter", "Sequences that gave up their slot to others."),
];

/// Times of a model's requests that are shown: as they are called here, what they are, and where they are counted.
type Times = (&'static str, &'static str, fn(&Stats) -> Percentiles);
const TIMES: [Times; 2] = [
    ("first_token_seconds", "From a request to its first token.", |stats| stats.first_token),
    ("request_seconds", "From a request to its end.", |stats| stats.latency),
];
