//! Patterns of names, as shells have them: `*`, `?`, `[a-z]` and `[!a-z]`; each takes slashes, too.

/// Whether all of a text fits. Takes time in proportion to the product of both lengths at most.
pub(super) fn fits(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut place) = (0, 0);
    // Where to go on after the last `*`, once it has taken one more.
    let mut again = None;
    while at < text.len() {
        if pattern.get(place) == Some(&'*') {
            place += 1;
            again = Some((at, place));
        } else if let Some(next) = one(text[at], &pattern, place) {
            (at, place) = (at + 1, next);
        } else if let Some((start, after)) = again {
            again = Some((start + 1, after));
            (at, place) = (start + 1, after);
        } else {
            return false;
        }
    }
    pattern[place..].iter().all(|c| *c == '*')
}

/// Where the pattern goes on if what is at `place` takes this character.
fn one(c: char, pattern: &[char], place: usize) -> Option<usize> {
    match *pattern.get(place)? {
        '?' => Some(place + 1),
        '[' => {
            let not = usize::from(pattern.get(place + 1) == Some(&'!'));
            let first = place + 1 + not;
            // One that comes first is no end.
            let end = (first + 1..pattern.len()).find(|end| pattern[*end] == ']');
            let Some(end) = end else { return (c == '[').then_some(place + 1) };
            (is_among(c, &pattern[first..end]) != (not == 1)).then_some(end + 1)
        }
        other => (c == other).then_some(place + 1),
    }
}

fn is_among(c: char, set: &[char]) -> bool {
    match set {
        [first, '-', last, rest @ ..] => (*first..=*last).contains(&c) || is_among(c, rest),
        [one, rest @ ..] => *one == c || is_among(c, rest),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_shells() {
        for (text, pattern) in [
            ("a/b.gguf", "*.gguf"),
            ("x", "?"),
            ("b", "[a-c]"),
            ("d", "[!a-c]"),
            ("]", "[]]"),
            ("-", "[a-]"),
            ("[a", "[a"),
            ("", "**"),
            ("aXbXc", "a*b*c"),
            ("é", "[à-ü]"),
        ] {
            assert!(fits(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in
            [("a", ""), ("", "?"), ("b", "[!a-c]"), ("a.gguf.part", "*.gguf"), ("b", "[a"), ("B", "b")]
        {
            assert!(!fits(text, pattern), "{text} {pattern}");
        }
        assert!(!fits(&"a".repeat(4000), &"*a".repeat(40).replace("a*", "a*b*")));
    }
}
