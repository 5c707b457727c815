//! Whether programs wait for each other: what Linux calls pressure.

use crate::system::System;

/// The share of the last ten seconds in which somebody, anywhere on the machine, waited for a processor; `None` where the
/// system does not tell.
pub fn waiting() -> Option<f64> {
    waiting_of(&System::this())
}

fn waiting_of(system: &System) -> Option<f64> {
    waited(&system.process("pressure/cpu")?)
}

/// The share of the last ten seconds in which somebody waited, by the text of a file of pressure.
pub(crate) fn waited(text: &str) -> Option<f64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let percent: f64 = some.split(' ').find_map(|field| field.strip_prefix("avg10="))?.parse().ok()?;
    Some(percent / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::with_files;

    #[test]
    fn the_last_ten_seconds_count() {
        let text = "some avg10=12.50 avg60=1.00 avg300=0.00 total=9\nfull avg10=99.00 avg60=0.00 avg300=0.00 total=0\n";
        let (_root, system) = with_files([("proc/pressure/cpu", text)]);
        assert_eq!(waiting_of(&system), Some(0.125));
    }

    #[test]
    fn what_is_not_told_is_not_guessed() {
        for text in ["", "some", "some avg60=1.00", "some avg10=much"] {
            let (_root, system) = with_files([("proc/pressure/cpu", text)]);
            assert_eq!(waiting_of(&system), None, "{text}");
        }
        let (_root, system) = with_files([("proc/stat", "")]);
        assert_eq!(waiting_of(&system), None);
    }
}
