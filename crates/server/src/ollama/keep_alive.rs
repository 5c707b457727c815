//! How long a model stays, as Ollama's clients say it.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use trillm_runtime::Keep;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// `keep_alive`: seconds, or a text such as "5m"; below zero for ever, and zero to unload after the answer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct KeepAlive(pub(super) Keep);

impl KeepAlive {
    /// Whether the model is to go at once.
    pub(super) fn is_over(given: Option<Self>) -> bool {
        given == Some(Self(Keep::For(Duration::ZERO)))
    }

    fn of_seconds(seconds: f64) -> Option<Self> {
        if seconds < 0.0 {
            return Some(Self(Keep::Forever));
        }
        // What no clock reaches is for ever.
        seconds.is_finite().then(|| Self(Duration::try_from_secs_f64(seconds).map_or(Keep::Forever, Keep::For)))
    }

    /// As Go writes durations: "1h30m", "-1s", "500ms"; a number alone is seconds, as in Ollama's environment.
    fn parse(text: &str) -> Option<Self> {
        if let Ok(seconds) = text.parse() {
            return Self::of_seconds(seconds);
        }
        let (sign, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (-1.0, rest),
            None => (1.0, text.strip_prefix('+').unwrap_or(text)),
        };
        let mut seconds = 0.0;
        while !rest.is_empty() {
            let digits = rest.find(|it: char| !it.is_ascii_digit() && it != '.')?;
            let (number, behind) = rest.split_at(digits);
            // The longer ones first: "ms" is no minute.
            let (unit, length) = UNITS.iter().find(|(unit, _)| behind.starts_with(unit))?;
            seconds += number.parse::<f64>().ok()? * length;
            rest = &behind[unit.len()..];
        }
        Self::of_seconds(sign * seconds)
    }
}

const UNITS: [(&str, f64); 7] =
    [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];

#[derive(Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected seconds or a text such as \"5m\"")]
enum Given {
    Seconds(f64),
    Text(String),
}

impl ToSchema for KeepAlive {}

impl PartialSchema for KeepAlive {
    fn schema() -> RefOr<Schema> {
        Given::schema()
    }
}

impl<'de> Deserialize<'de> for KeepAlive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = match Given::deserialize(deserializer)? {
            Given::Seconds(seconds) => Self::of_seconds(seconds),
            Given::Text(text) => Self::parse(&text),
        };
        read.ok_or_else(|| de::Error::custom("expected seconds or a text such as \"5m\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, seconds) in
            [("5m", 300.0), ("1h30m", 5400.0), ("1.5h", 5400.0), ("250ms", 0.25), ("0", 0.0), ("0s", 0.0), ("90", 90.0)]
        {
            let expected = KeepAlive(Keep::For(Duration::from_secs_f64(seconds)));
            assert_eq!(KeepAlive::parse(text), Some(expected), "{text}");
        }
        for text in ["-1", "-1m", "-0.5s", "1e300"] {
            assert_eq!(KeepAlive::parse(text), Some(KeepAlive(Keep::Forever)), "{text}");
        }
        for text in ["", "m", "5 m", "5x", "five", "5m!", "nan", "inf", "1.2.3s"] {
            assert!(text.is_empty() || KeepAlive::parse(text).is_none(), "{text}");
        }
    }
}
