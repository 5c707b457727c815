//! How often each client asks.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName};

use crate::Options;

/// A window for the rate of requests.
const MINUTE: Duration = Duration::from_mins(1);

/// Clients that are remembered; those of windows that are over are forgotten first.
const CLIENTS: usize = 10_000;

/// Whose requests are counted together.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Client {
    Key(usize),
    Address(IpAddr),
}

/// How often each client asked lately.
#[derive(Default)]
pub(crate) struct Rates(Mutex<HashMap<Client, (Instant, u32)>>);

/// What a client has left of its minute.
#[derive(Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) limit: u32,
    /// Below zero for a request too many.
    pub(crate) left: i64,
    /// When the minute is over.
    pub(crate) reset: Duration,
}

impl Rates {
    /// Counts a request; `None` where nothing is counted.
    pub(crate) fn count(
        &self,
        options: &Options,
        key: Option<usize>,
        peer: Option<IpAddr>,
        now: Instant,
    ) -> Option<Rate> {
        let limit = options.rate?;
        let client = match (key, peer) {
            (_, Some(address)) if address.is_loopback() && !options.limits_loopback => return None,
            (Some(key), _) => Client::Key(key),
            (None, address) => Client::Address(address?),
        };
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= CLIENTS && !clients.contains_key(&client) {
            clients.retain(|_, (begun, _)| now.duration_since(*begun) < MINUTE);
            if clients.len() >= CLIENTS {
                clients.clear();
            }
        }
        let (begun, count) = clients.entry(client).or_insert((now, 0));
        if now.duration_since(*begun) >= MINUTE {
            (*begun, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        let reset = MINUTE.saturating_sub(now.duration_since(*begun));
        Some(Rate { limit, left: i64::from(limit) - i64::from(*count), reset })
    }
}

impl Rate {
    /// Headers by the names that OpenAI's clients read.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        let seconds = self.reset.as_secs_f64().ceil();
        for (name, value) in [
            ("x-ratelimit-limit-requests", self.limit.to_string()),
            ("x-ratelimit-remaining-requests", self.left.max(0).to_string()),
            ("x-ratelimit-reset-requests", format!("{seconds}s")),
        ] {
            if let Ok(value) = value.parse() {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_asks_too_often_waits_for_its_minute() {
        let (rates, options) = (Rates::default(), Options { rate: Some(2), ..Options::default() });
        let (far, start) = (Some(IpAddr::from([10, 0, 0, 1])), Instant::now());
        let left = |peer, after| rates.count(&options, None, peer, start + after).map(|rate| rate.left);
        let second = Duration::from_secs(1);
        assert_eq!([left(far, second), left(far, second), left(far, second * 2)], [Some(1), Some(0), Some(-1)]);
        assert_eq!(left(Some(IpAddr::from([10, 0, 0, 2])), second), Some(1));
        assert_eq!(left(far, second * 62), Some(1));
        assert_eq!(left(Some(IpAddr::from([127, 0, 0, 1])), second), None);
    }
}
