//! A template's source as Jinja2 reads it, in words that minijinja has.
//!
//! - Every line break is a line feed.
//! - `{% raw %}` keeps the line break behind it, which `trim_blocks` would take.
//! - `{% generation %}` blocks, which mark text for training, are plain scopes.
//! - Macros and call blocks are those of `macros.rs`, and expressions those of `expression.rs`.
//! - `{% block %}` is a macro of the whole template, called where it stands: it sees what the template's top knows, and
//!   nothing of a loop or a macro around it.
//! - A name that is given a value further down is undefined from the beginning (`late.rs`).
//! - Blocks whose text is kept or filtered are scopes.
//! - What is looped over, taken apart or given to several names at once is as in `targets.rs`.
//! - Texts have the escapes of Python (`literal.rs`).
//! - Other templates are an error where they would be read, as in an environment without a loader.
//!
//! The rest of the source is not understood here: it is cut into parts, and those into tokens.

use std::collections::BTreeSet;

use crate::expression::{BLOCK, expression};
use crate::late::Late;
use crate::literal::literals;
use crate::macros::Open;
use crate::parts::{Part, parts, word};
use crate::targets::{assigns, at_once, looped, unpacked};
use crate::tokens::is_name;

/// The filter that stands for another template.
pub(crate) const OTHER: &str = "__other_template";

/// Rewrites a source.
pub(crate) fn rewrite(source: &str) -> String {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut writer = Writer { out: String::with_capacity(source.len()), ..Writer::default() };
    for part in parts(&source) {
        match part {
            Part::Text(text) => writer.out.push_str(text),
            Part::Comment(inside) => writer.tag("{#", inside, "#}"),
            Part::Raw { inside, text } => {
                writer.tag("{%", inside, "%}");
                if !inside.ends_with('-') && text.starts_with('\n') {
                    writer.out.push('\n');
                }
                writer.out.push_str(text);
            }
            Part::Statement(inside) => writer.statement(&literals(inside)),
            Part::Expression(inside) => {
                let inside = literals(inside);
                writer.see(&inside);
                writer.tag("{{", &expression(&inside), "}}");
            }
        }
    }
    writer.finish()
}

#[derive(Default)]
struct Writer {
    out: String,
    /// Macros, call blocks and blocks that are not closed.
    open: Vec<Scope>,
    count: usize,
    /// The blocks that were closed, as macros.
    blocks: String,
    /// Their names, and those of blocks that are open.
    names: BTreeSet<String>,
    late: Late,
}

enum Scope {
    /// A macro or a call block; none if it was not rewritten.
    Macro(Option<Open>),
    Block {
        open: Open,
        name: String,
        /// The tag that begins it.
        tag: String,
        /// What is written around it.
        around: String,
        /// The sign of white-space control in front of it.
        left: String,
        /// It sees what is around it.
        scoped: bool,
    },
}

impl Writer {
    fn tag(&mut self, open: &str, inside: &str, close: &str) {
        self.out.extend([open, inside, close]);
    }

    fn see(&mut self, inside: &str) {
        self.late.reads(inside);
        self.show(inside);
    }

    /// Shows an expression to the macros around it.
    fn show(&mut self, inside: &str) {
        for scope in &mut self.open {
            if let Scope::Macro(Some(open)) | Scope::Block { open, .. } = scope {
                open.see(inside);
            }
        }
    }

    /// The template, behind what it needs.
    fn finish(mut self) -> String {
        // A block without an end is for the parser to complain about.
        while let Some(scope) = self.open.pop() {
            if let Scope::Block { tag, around, .. } = scope {
                self.out = format!("{around}{tag}{}", self.out);
            }
        }
        let mut first = String::new();
        for name in self.late.names() {
            first.extend(["{% set ", name, " = __undefined %}"]);
        }
        first += &self.blocks;
        // The first line still begins a line, and `trim_blocks` takes the break.
        if !first.is_empty() {
            first.push('\n');
        }
        first + &self.out
    }

    /// Begins a block, unless it is of a kind that minijinja has as Jinja2 does.
    fn block(&mut self, after: &str, tag: String, [left, right]: [&str; 2]) {
        self.count += 1;
        let (name, scoped) = after.strip_suffix("scoped").map_or((after, false), |name| (name.trim_end(), true));
        let known = !self.names.insert(name.to_owned());
        let open = Open::new("macro", &format!("{BLOCK}{name}()"), self.count).filter(|_| is_name(name) && !known);
        let Some(open) = open else {
            // Twice the same one is for the parser to complain about, which knows of none.
            let again = if known { format!("{{% block {name} %}}{{% endblock %}}") } else { String::new() };
            self.out.extend([again, tag]);
            return self.open.push(Scope::Macro(None));
        };
        let around = std::mem::replace(&mut self.out, open.begin(left, right));
        self.open.push(Scope::Block { open, name: name.to_owned(), tag, around, left: left.to_owned(), scoped });
    }

    /// Ends a block, and calls what became of it.
    fn end_block(&mut self, named: &str, tag: &str, [left, right]: [&str; 2]) {
        match self.open.pop() {
            Some(Scope::Block { open, name, around, left: begin, scoped, .. }) if named.is_empty() || named == name => {
                let made = std::mem::replace(&mut self.out, around) + &open.end(left, "");
                if scoped {
                    self.out.push_str(&made);
                }
                // Where `self` names it nothing is around it.
                self.blocks.push_str(&made);
                let call = format!("{{%{begin} if true %}}{{{{ {BLOCK}{name}() }}}}{{% endif {right}%}}");
                self.out.push_str(&call);
            }
            Some(Scope::Macro(None)) | None => self.out.push_str(tag),
            Some(scope) => {
                self.open.push(scope);
                self.out.push_str(tag);
            }
        }
    }

    fn statement(&mut self, inside: &str) {
        let name = word(inside);
        // The name of the statement is not a part of its expression.
        let (before, after) = inside.split_at(inside.find(name).unwrap_or(0) + name.len());
        let left = if before.starts_with(['-', '+']) { &before[..1] } else { "" };
        let (after, right) = after.split_at(after.len() - usize::from(after.ends_with(['-', '+'])));
        let has_end = match name {
            "set" => !assigns(after),
            "if" | "for" | "macro" | "call" | "filter" | "with" | "block" | "autoescape" | "generation" => true,
            _ => false,
        };
        if name.starts_with("end") {
            self.late.ends(name);
        }
        match name {
            "block" => self.block(after.trim(), format!("{{%{inside}%}}"), [left, right]),
            "endblock" => self.end_block(after.trim(), &format!("{{%{inside}%}}"), [left, right]),
            "macro" | "call" => {
                self.show(after);
                if name == "macro" {
                    self.late.assigns(word(after));
                } else {
                    self.late.reads(after);
                }
                self.count += 1;
                let open = Open::new(name, after, self.count);
                match &open {
                    Some(open) => self.out.push_str(&open.begin(left, right)),
                    None => self.tag("{%", inside, "%}"),
                }
                self.open.push(Scope::Macro(open));
            }
            "endmacro" | "endcall" if after.trim().is_empty() => match self.open.pop() {
                Some(Scope::Macro(Some(open))) if open.is_closed_by(name) => self.out.push_str(&open.end(left, right)),
                Some(Scope::Macro(_)) | None => self.tag("{%", inside, "%}"),
                Some(block) => {
                    self.open.push(block);
                    self.tag("{%", inside, "%}");
                }
            },
            "include" | "import" | "from" | "extends" => {
                self.out.extend(["{%", left, " set __other = ''|", OTHER, " ", right, "%}"]);
            }
            "generation" | "endgeneration" => {
                self.tag("{%", &inside.replacen("generation", "with", 1), "%}");
            }
            "set" | "filter" if name == "filter" || !assigns(after) => {
                if name == "set" {
                    self.late.assigns(word(after));
                }
                self.see(after);
                self.out.extend(["{%", before, &expression(after), "%}{% with ", right, "%}"]);
            }
            "endset" | "endfilter" => {
                self.out.extend(["{%", left, " endwith %}{% ", name, after, right, "%}"]);
            }
            _ => {
                self.see(after);
                if let ("set", Some((targets, _))) = (name, after.split_once('=').filter(|(to, _)| !to.contains('.'))) {
                    self.late.assigns(targets);
                }
                let after = match name {
                    "for" => looped(after),
                    "set" => unpacked(after),
                    "with" => at_once(after),
                    _ => after.into(),
                };
                let after = expression(&after).into_owned();
                self.out.extend(["{%", before, &after, right, "%}"]);
            }
        }
        if has_end {
            self.late.begins(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_those_of_minijinja() {
        for (source, expected) in [
            ("{%- if not a % 2 -%}", "{%- if not (a)|__modulo(2) -%}"),
            ("{% for x in a % b recursive %}", "{% for x in ( (a)|__modulo(b) )|__items_of recursive %}"),
            ("{%- for a, b in x.y if a in b -%}", "{%- for a, b in (x.y)|__pairs_of if a in b -%}"),
            ("{%- generation -%}a{% endgeneration %}", "{%- with -%}a{% endwith %}"),
            (
                "{%- set v | f(a=1) -%} x {%- endset +%}",
                "{%- set v | f(a=1) %}{% with -%} x {%- endwith %}{% endset +%}",
            ),
            (
                "{%- with a = 1, b = a -%}{% endwith %}{% with a = 1, b = 2 %}{% endwith %}",
                "{%- with __with_0 = (1), __with_1 = (a), a = __with_0, b = __with_1 -%}{% endwith %}\
                 {% with a = 1, b = 2 %}{% endwith %}",
            ),
            (
                "{% with a, b = (1, 2), c = 3 %}{% endwith %}",
                "{% with (a, b) = ((1, 2))|__items_of, c = 3 %}{% endwith %}",
            ),
            ("{% include 'x' -%}", "{% set __other = ''|__other_template -%}"),
            (
                "{%- macro m(a, b=a) -%}{{ varargs }}{%- endmacro -%}",
                "{%- macro __macro_1(a, b, varargs, kwargs, caller) %}{% if b is __missing %}{% set b = (a) %}{% endif \
                 -%}{{ varargs }}{%- endmacro %}{% set m = __macro_1|__macro('m', ['a', 'b'], 1, [true, false, false]) \
                 -%}",
            ),
            (
                "{% call(q) m(1) %}{{ q }}{% endcall %}",
                "{% macro __macro_1(q, varargs, kwargs, caller) %}{{ q }}{% endmacro %}{{ m(1, caller=__macro_1|\
                 __macro(none, ['q'], 0, [false, false, false])) }}{% set __macro_1 = none %}",
            ),
        ] {
            let squeezed = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(squeezed(&rewrite(source)), squeezed(expected), "{source}");
        }
    }

    #[test]
    fn the_rest_stays_as_it_is() {
        for source in [
            "a { b % c } {# 5 % 2 #} {{ '%' }} {{ a }",
            "{% raw %}{{ a % b }}{% endraw %}",
            "{{ 'a",
            "100 %",
            "{% macro (a) %}{% endmacro %}",
            "{% macro m(a=1, b) %}{% endmacro %}",
            "{% call m %}{% endcall %}",
            "{% endmacro %}{% endcall %}",
        ] {
            assert_eq!(rewrite(source), source);
        }
        assert_eq!(rewrite("a\r\nb\rc"), "a\nb\nc");
        assert_eq!(rewrite("{% raw %}\n{%- endraw %}"), "{% raw %}\n\n{%- endraw %}");
    }
}
