//! A pattern as a program: what an automaton does not take, because it looks around or never gives back.
//!
//! It is run by `matcher.rs`. Left to the library is what refers to earlier groups, what looks back at a part without a
//! length of its own, and loops whose inside may be nothing.

use fancy_regex::{Assertion, Expr, LookAround};
use regex_syntax::escape;

use super::set::Set;

/// The most steps, copies of repeated parts included. Patterns of tokenizers have some dozens.
const STEPS: usize = 4096;

/// The most steps with a memory of where they failed: each may take some bytes for every byte of a text.
const NODES: usize = 256;

/// Brackets in brackets: a look around or a group that never gives back is a call of the matcher.
const DEPTH: usize = 64;

/// One step. Those without a place to go to go on with the next.
pub(super) enum Step {
    /// One character of a set, by its number.
    One(usize),
    /// Any number of characters of a set: as many as there are, unless what follows fails, or as few.
    Run {
        set: usize,
        node: usize,
        kind: RunKind,
    },
    /// The first place, and if it fails the second.
    Either(usize, usize),
    /// Where several ways meet: they need not be gone twice.
    Meet {
        node: usize,
    },
    To(usize),
    /// What stands so many characters before, or ahead, matches or does not; it goes up to [`Step::End`].
    Look {
        behind: usize,
        wanted: bool,
        next: usize,
    },
    /// What matches up to [`Step::End`] is not given back.
    Keep {
        next: usize,
    },
    LineBegins,
    LineEnds,
    TextBegins,
    TextEnds,
    End,
}

/// What a run does if what follows it fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RunKind {
    GivesBack,
    Keeps,
    Grows,
}

/// A pattern as steps.
pub(crate) struct Program {
    pub(super) steps: Vec<Step>,
    pub(super) sets: Vec<Set>,
    /// How many steps have a memory of where they failed.
    pub(super) nodes: usize,
    /// Bytes that a match may begin with. `None` if it may be nothing.
    pub(super) first: Option<Box<[bool; 256]>>,
}

impl Program {
    /// `None` if it is none of those that can be run so.
    pub(super) fn new(pattern: &str) -> Option<Self> {
        let tree = Expr::parse_tree(pattern).ok()?;
        let mut program = Self { steps: Vec::new(), sets: Vec::new(), nodes: 0, first: None };
        program.write(&tree.expr, 0)?;
        program.push(Step::End)?;
        if least(&tree.expr, 0)? > 0 {
            let mut first = Box::new([false; 256]);
            program.begin(&mut first);
            program.first = Some(first);
        }
        Some(program)
    }

    fn push(&mut self, step: Step) -> Option<usize> {
        self.steps.push(step);
        (self.steps.len() <= STEPS).then_some(self.steps.len() - 1)
    }

    fn set(&mut self, set: Option<Set>) -> Option<usize> {
        let set = set?;
        Some(self.sets.iter().position(|known| *known == set).unwrap_or_else(|| {
            self.sets.push(set);
            self.sets.len() - 1
        }))
    }

    fn node(&mut self) -> Option<usize> {
        self.nodes += 1;
        (self.nodes <= NODES).then_some(self.nodes - 1)
    }

    fn meet(&mut self) -> Option<usize> {
        let node = self.node()?;
        self.push(Step::Meet { node })
    }

    /// Appends the steps of a part.
    fn write(&mut self, part: &Expr, depth: usize) -> Option<()> {
        if depth > DEPTH {
            return None;
        }
        let depth = depth + 1;
        match part {
            Expr::Empty => {}
            Expr::Assertion(place) => {
                self.push(match place {
                    Assertion::StartText => Step::TextBegins,
                    Assertion::EndText => Step::TextEnds,
                    Assertion::StartLine { crlf: false } => Step::LineBegins,
                    Assertion::EndLine { crlf: false } => Step::LineEnds,
                    _ => return None,
                })?;
            }
            Expr::Literal { val, casei } => {
                for character in val.chars() {
                    let set = self.set(Set::new(&escape(character.encode_utf8(&mut [0; 4])), *casei))?;
                    self.push(Step::One(set))?;
                }
            }
            Expr::Any { .. } | Expr::Delegate { .. } => {
                let set = self.set(one(part))?;
                self.push(Step::One(set))?;
            }
            Expr::Concat(parts) => parts.iter().try_for_each(|part| self.write(part, depth))?,
            Expr::Alt(parts) => self.alternatives(parts, depth)?,
            Expr::Group(part) => self.write(part, depth)?,
            Expr::LookAround(part, look) => self.look(part, *look, depth)?,
            Expr::AtomicGroup(part) => self.kept(part, depth)?,
            Expr::Repeat { child, lo, hi, greedy } => {
                let kind = if *greedy { RunKind::GivesBack } else { RunKind::Grows };
                self.repeat(child, (*lo, *hi), kind, depth)?;
            }
            _ => return None,
        }
        Some(())
    }

    fn look(&mut self, part: &Expr, look: LookAround, depth: usize) -> Option<()> {
        let (behind, wanted) = match look {
            LookAround::LookAhead => (0, true),
            LookAround::LookAheadNeg => (0, false),
            LookAround::LookBehind | LookAround::LookBehindNeg => {
                let wanted = look == LookAround::LookBehind;
                match (length(part, depth), part) {
                    (Some(length), _) => (length, wanted),
                    // Each looks back as far as it is long.
                    (None, Expr::Alt(parts)) => {
                        let parts = parts.iter().map(|part| Expr::LookAround(part.clone().into(), look)).collect();
                        return self.write(&if wanted { Expr::Alt(parts) } else { Expr::Concat(parts) }, depth);
                    }
                    (None, _) => return None,
                }
            }
        };
        let at = self.push(Step::Look { behind, wanted, next: 0 })?;
        self.write(part, depth)?;
        let end = self.push(Step::End)?;
        self.steps[at] = Step::Look { behind, wanted, next: end + 1 };
        Some(())
    }

    fn alternatives(&mut self, parts: &[Expr], depth: usize) -> Option<()> {
        let (last, others) = parts.split_last()?;
        let mut ends = Vec::new();
        for part in others {
            let either = self.push(Step::Either(0, 0))?;
            self.write(part, depth)?;
            ends.push(self.push(Step::To(0))?);
            self.steps[either] = Step::Either(either + 1, self.steps.len());
        }
        self.write(last, depth)?;
        let meet = self.meet()?;
        for end in ends {
            self.steps[end] = Step::To(meet);
        }
        Some(())
    }

    /// What never gives back: a run of a set, or a part of its own.
    fn kept(&mut self, part: &Expr, depth: usize) -> Option<()> {
        if let Expr::Repeat { child, lo, hi: usize::MAX, greedy: true } = part
            && one(child).is_some()
        {
            return self.repeat(child, (*lo, usize::MAX), RunKind::Keeps, depth);
        }
        // A place of its own to come by twice.
        self.meet()?;
        let at = self.push(Step::Keep { next: 0 })?;
        self.write(part, depth)?;
        let end = self.push(Step::End)?;
        self.steps[at] = Step::Keep { next: end + 1 };
        Some(())
    }

    fn repeat(&mut self, part: &Expr, (low, high): (usize, usize), kind: RunKind, depth: usize) -> Option<()> {
        // A loop that takes nothing would have no end.
        if high > 1 && least(part, depth)? == 0 {
            return None;
        }
        for _ in 0..low {
            self.write(part, depth)?;
        }
        let either = |inside, behind| match kind {
            RunKind::Grows => Step::Either(behind, inside),
            RunKind::GivesBack | RunKind::Keeps => Step::Either(inside, behind),
        };
        if high < usize::MAX {
            let mut places = Vec::new();
            for _ in low..high {
                places.push(self.push(Step::Either(0, 0))?);
                self.write(part, depth)?;
            }
            let meet = self.meet()?;
            for place in places {
                self.steps[place] = either(place + 1, meet);
            }
        } else if let Some(set) = one(part) {
            let (set, node) = (self.set(Some(set))?, self.node()?);
            self.push(Step::Run { set, node, kind })?;
        } else {
            let meet = self.meet()?;
            let place = self.push(Step::Either(0, 0))?;
            self.write(part, depth)?;
            self.push(Step::To(meet))?;
            self.steps[place] = either(place + 1, self.steps.len());
        }
        Some(())
    }

    /// Notes the bytes that a match may begin with. What is looked at is taken to be there.
    fn begin(&self, first: &mut [bool; 256]) {
        let (mut seen, mut left) = (vec![false; self.steps.len()], vec![0]);
        while let Some(at) = left.pop() {
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            match &self.steps[at] {
                Step::One(set) => self.sets[*set].begin(first),
                Step::Run { set, .. } => {
                    self.sets[*set].begin(first);
                    left.push(at + 1);
                }
                Step::Either(one, other) => left.extend([*one, *other]),
                Step::To(next) | Step::Look { next, .. } => left.push(*next),
                // What is kept may be nothing.
                Step::Keep { next } => left.extend([at + 1, *next]),
                Step::End => {}
                _ => left.push(at + 1),
            }
        }
    }
}

/// The set of a part that is one character.
fn one(part: &Expr) -> Option<Set> {
    match part {
        Expr::Any { newline } => Set::new(if *newline { "(?s:.)" } else { "." }, false),
        Expr::Delegate { inner, size: 1, casei } => Set::new(inner, *casei),
        Expr::Literal { val, casei } if val.chars().nth(1).is_none() => Set::new(&escape(val), *casei),
        Expr::Group(part) => one(part),
        _ => None,
    }
}

/// The fewest characters that a part takes. `None` if it has what no program does, or too many brackets.
fn least(part: &Expr, depth: usize) -> Option<usize> {
    if depth > DEPTH {
        return None;
    }
    let depth = depth + 1;
    Some(match part {
        Expr::Empty | Expr::Assertion(_) | Expr::LookAround(..) => 0,
        Expr::Literal { val, .. } => val.chars().count(),
        Expr::Any { .. } | Expr::Delegate { size: 1, .. } => 1,
        Expr::Concat(parts) => {
            let all = parts.iter().map(|part| least(part, depth)).collect::<Option<Vec<_>>>()?;
            all.into_iter().fold(0, usize::saturating_add)
        }
        Expr::Alt(parts) => {
            parts.iter().map(|part| least(part, depth)).collect::<Option<Vec<_>>>()?.into_iter().min()?
        }
        Expr::Group(part) | Expr::AtomicGroup(part) => least(part, depth)?,
        Expr::Repeat { child, lo, .. } => least(child, depth)?.saturating_mul(*lo),
        _ => return None,
    })
}

/// The number of characters that a part takes, if it is always the same.
fn length(part: &Expr, depth: usize) -> Option<usize> {
    if depth > DEPTH {
        return None;
    }
    let depth = depth + 1;
    match part {
        Expr::Concat(parts) => {
            let all = parts.iter().map(|part| length(part, depth)).collect::<Option<Vec<_>>>()?;
            Some(all.into_iter().fold(0, usize::saturating_add))
        }
        Expr::Alt(parts) => {
            let mut all = parts.iter().map(|part| length(part, depth));
            let first = all.next()??;
            all.all(|length| length == Some(first)).then_some(first)
        }
        Expr::Group(part) | Expr::AtomicGroup(part) => length(part, depth),
        Expr::Repeat { child, lo, hi, .. } => {
            length(child, depth).filter(|_| lo == hi).map(|length| length.saturating_mul(*lo))
        }
        part => least(part, depth),
    }
}
