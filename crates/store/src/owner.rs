//! Which process something belongs to, and whether that process lives.
//!
//! A process id alone says little: it is used again, it means another process in another container, and a store may be
//! on a network folder. So an owner also names the machine, its boot, its space of process ids, and when the process
//! started. What cannot be known is not guessed: [`Owner::alive`] then says so, and others judge by age.

use std::{fmt, fs, process, str::FromStr};

use xxhash_rust::xxh3::xxh3_64;

use crate::Error;

/// A process, named so that no other one has the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    place: Place,
    pid: u32,
    /// In the system's own unit, since boot; 0 where it does not tell.
    started: u64,
}

/// Where a process id means something.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// The installation of the system; 0 where it has no name. Outlasts a boot.
    machine: u32,
    /// This boot of it; 0 where that is not known.
    boot: u32,
    /// Its containers have process ids of their own.
    space: u32,
}

impl Owner {
    /// This process. Asked for anew each time: a fork is another process.
    pub fn me() -> Self {
        let pid = process::id();
        Self { place: Place::here(), pid, started: Stat::read(pid).map_or(0, |stat| stat.started) }
    }

    /// Whether it lives; `None` where that cannot be known from here. A zombie does not.
    pub fn alive(&self) -> Option<bool> {
        let here = Place::here();
        if self.place.boot == 0 {
            return None;
        }
        if self.place != here {
            // Of an earlier boot of this machine nothing lives. Another machine, or another container, may.
            let rebooted = self.place.machine != 0 && self.place.machine == here.machine;
            return (rebooted && self.place.boot != here.boot && here.boot != 0).then_some(false);
        }
        match Stat::read(self.pid) {
            Some(stat) => Some(!stat.over && (self.started == 0 || self.started == stat.started)),
            None => exists(self.pid),
        }
    }

    /// The owner that a file name begins with, up to the first `-`.
    pub fn of_name(name: &str) -> Option<Self> {
        name.split('-').next()?.parse().ok()
    }
}

impl Place {
    fn here() -> Self {
        let host = host();
        let hash = |id: &str| xxh3_64(format!("{host}\n{id}").as_bytes()) as u32;
        let read = |path| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        // Images of systems are cloned, so the host's name is part of each. A system that was never started says
        // "uninitialized".
        let machine = read("/etc/machine-id");
        let machine = if machine.len() < 32 { 0 } else { hash(&machine) };
        if cfg!(target_os = "linux") {
            let boot = read("/proc/sys/kernel/random/boot_id");
            let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
            let boot = if boot.is_empty() { 0 } else { hash(&boot) };
            Self { machine, boot, space: hash(&space.to_string_lossy()) }
        } else {
            // No boot is told apart: an owner of an earlier one lives as long as its process id is in use.
            Self { machine, boot: if cfg!(unix) { hash("") } else { 0 }, space: 0 }
        }
    }
}

impl fmt::Display for Owner {
    /// Without `-`, so that file names can begin with it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { machine, boot, space } = self.place;
        write!(f, "{machine:08x}.{boot:08x}.{space:08x}.{}.{}", self.pid, self.started)
    }
}

impl FromStr for Owner {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts: Vec<_> = text.split('.').collect();
        let hexadecimal = |text: &str| u32::from_str_radix(text, 16).ok();
        let owner = match parts.as_slice() {
            [machine, boot, space, pid, started] => hexadecimal(machine)
                .zip(hexadecimal(boot))
                .zip(hexadecimal(space))
                .zip(pid.parse().ok().zip(started.parse().ok()))
                .map(|(((machine, boot), space), (pid, started))| Self {
                    place: Place { machine, boot, space },
                    pid,
                    started,
                }),
            _ => None,
        };
        // One name for one owner: what is printed differently is not ours.
        owner.filter(|owner| owner.to_string() == text).ok_or_else(|| Error::InvalidName {
            name: text.chars().take(120).collect(),
            reason: "it does not name a process",
        })
    }
}

/// What Linux says about a process, in `/proc/<pid>/stat` (`man 5 proc_pid_stat`).
struct Stat {
    started: u64,
    /// Nothing of it runs any more.
    over: bool,
}

impl Stat {
    /// `None` where there is no such process, where it is hidden, and on other systems.
    fn read(pid: u32) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(text: &[u8]) -> Option<Self> {
        // The second field is the program's name in parentheses; it may hold anything, parentheses too.
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let fields: Vec<_> = std::str::from_utf8(&text[end + 1..]).ok()?.split_whitespace().collect();
        // The first one here is field 3 of the manual.
        let field = |number: usize| fields.get(number - 3);
        // A process whose first thread has ended looks like a zombie while its other threads run.
        let threads: u64 = field(20)?.parse().ok()?;
        let over = matches!(*field(3)?, "Z" | "X" | "x") && threads < 2;
        Some(Self { started: field(22)?.parse().ok()?, over })
    }
}

/// Whether there is a process of this id, by what may be signalled.
#[cfg(unix)]
fn exists(pid: u32) -> Option<bool> {
    use rustix::{io::Errno, process};
    let pid = process::Pid::from_raw(pid.try_into().ok()?)?;
    match process::test_kill_process(pid) {
        Err(Errno::SRCH) => Some(false),
        // It is there, but `/proc` hides it or is not there: it may be a later process of the same id.
        _ if cfg!(target_os = "linux") => None,
        _ => Some(true),
    }
}

#[cfg(not(unix))]
fn exists(_pid: u32) -> Option<bool> {
    None
}

#[cfg(unix)]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{process::Command, thread, time::Duration};

    use super::*;

    #[test]
    fn reads_what_it_prints_and_nothing_else() {
        let me = Owner::me();
        assert_eq!(me.to_string().parse::<Owner>().unwrap(), me);
        assert_eq!(Owner::of_name(&format!("{me}-7.json")), Some(me.clone()));
        assert_eq!(Owner::of_name(&me.to_string()), Some(me.clone()));
        let hostile = ["", ".", "..", "1.2.3.4.5", "../../etc", "00000001.00000001.00000001.+1.1"];
        for text in hostile.into_iter().chain([&*format!("{me}.1"), &me.to_string()[1..]]) {
            assert!(text.parse::<Owner>().is_err(), "{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_lives_until_it_is_killed_and_a_zombie_does_not() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let owner = Owner { pid: child.id(), started: Stat::read(child.id()).unwrap().started, ..Owner::me() };
        assert_eq!(owner.alive(), Some(true));
        assert_eq!(Owner::me().alive(), Some(true));
        child.kill().unwrap();
        // Not waited for, so it stays as a zombie.
        while owner.alive() != Some(false) {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(Stat::read(child.id()).is_some());
        child.wait().unwrap();
        assert_eq!(owner.alive(), Some(false));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_only_shares_a_number_is_someone_else() {
        let me = Owner::me();
        assert_eq!(Owner { started: me.started + 1, ..me.clone() }.alive(), Some(false));
        let with = |machine, boot, space| Owner { place: Place { machine, boot, space }, ..me.clone() }.alive();
        let Place { machine, boot, space } = me.place;
        assert_eq!(with(machine.wrapping_add(1), boot + 1, space), None, "another machine");
        assert_eq!(with(machine, boot, space.wrapping_add(1)), None, "another container");
        assert_eq!(with(7, 0, space), None, "a machine that does not tell");
        if machine != 0 {
            assert_eq!(with(machine, boot.wrapping_add(1), space), Some(false), "an earlier boot");
        }
    }

    #[test]
    fn a_name_with_spaces_and_parentheses_hides_no_field() {
        let stat = |state: &str, threads: u32| {
            format!("12 (a ) R 1 (b)) {state} 1 12 12 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 4711 0 0\n")
        };
        let parse = |text: &str| Stat::parse(text.as_bytes()).map(|stat| (stat.started, stat.over));
        assert_eq!(parse(&stat("S", 1)), Some((4711, false)));
        assert_eq!(parse(&stat("Z", 1)), Some((4711, true)));
        assert_eq!(parse(&stat("Z", 3)), Some((4711, false)), "only the first thread has ended");
        for text in ["", "12", "12 (a", "12 (a) S", "12 (a) S x"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
