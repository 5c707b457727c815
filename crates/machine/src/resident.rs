//! What this process has of the machine's memory.

use crate::system::System;

/// Bytes of memory that this process has now, mapped files included; `None` where the system does not tell.
pub fn resident() -> Option<u64> {
    resident_of(&System::this())
}

fn resident_of(system: &System) -> Option<u64> {
    let text = system.process("self/status")?;
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB"))?;
    kilobytes.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::with_files;

    #[test]
    fn it_is_what_the_system_says() {
        let (_root, system) = with_files([("proc/self/status", "Name:\tx\nVmRSS:\t    1234 kB\nThreads:\t1\n")]);
        assert_eq!(resident_of(&system), Some(1234 * 1024));
        let (_root, system) = with_files([("proc/self/status", "Name:\tx\nVmRSS:\tmuch kB\n")]);
        assert_eq!(resident_of(&system), None);
        assert!(resident().is_none_or(|bytes| bytes > 100_000));
    }
}
