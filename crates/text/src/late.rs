//! Names that a template gives a value further down than a loop or a macro reads them.
//!
//! Jinja2 decides when it compiles what a name is. One whose first use at the top of a template is an assignment is the
//! template's own from the beginning, and undefined until it is assigned: a loop before it does not see a variable of
//! the caller's by this name, nor does a macro that is called before it. minijinja takes the variable, so such names are
//! made undefined in front of the template. Only the top is looked at: not what a loop or a macro assigns itself.

use std::collections::BTreeSet;

use crate::tokens::names;

/// The names that the top of a template uses, and those that are used below it.
#[derive(Default)]
pub(crate) struct Late {
    top: BTreeSet<String>,
    below: BTreeSet<String>,
    found: BTreeSet<String>,
    /// How many loops, macros and other scopes are open.
    scopes: usize,
    /// How many blocks of these: they see the caller's variables until the template has its own.
    blocks: usize,
    /// How many conditions are open at the top: a name assigned in one may be a variable otherwise.
    conditions: usize,
}

impl Late {
    /// Notes an expression.
    pub(crate) fn reads(&mut self, text: &str) {
        if self.blocks > 0 {
            return;
        }
        let used = if self.scopes == 0 { &mut self.top } else { &mut self.below };
        used.extend(names(text).map(str::to_owned));
    }

    /// Notes an assignment to names.
    pub(crate) fn assigns(&mut self, targets: &str) {
        if self.scopes > 0 {
            return;
        }
        for name in names(targets) {
            if self.conditions == 0 && self.below.contains(name) && !self.top.contains(name) {
                self.found.insert(name.to_owned());
            }
            self.top.insert(name.to_owned());
        }
    }

    /// Notes a statement that has an end.
    pub(crate) fn begins(&mut self, statement: &str) {
        match statement {
            "if" if self.scopes == 0 => self.conditions += 1,
            "if" => {}
            _ => self.scopes += 1,
        }
        if statement == "block" {
            self.blocks += 1;
        }
    }

    /// Notes an end.
    pub(crate) fn ends(&mut self, statement: &str) {
        match statement {
            "endif" if self.scopes == 0 => self.conditions = self.conditions.saturating_sub(1),
            "endif" => {}
            _ => self.scopes = self.scopes.saturating_sub(1),
        }
        if statement == "endblock" {
            self.blocks = self.blocks.saturating_sub(1);
        }
    }

    /// The names that are undefined at first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.found.iter().map(String::as_str)
    }
}
