//! Arguments, letters and methods that minijinja lacks, each with the answer that transformers 5.24 gives.
#![allow(clippy::unwrap_used)]

mod common;

use common::render;

fn all_alike(cases: &[(&str, &str)]) {
    common::all_alike(render, cases);
}

#[test]
fn arguments_have_names() {
    all_alike(&[
        ("{{ [none,1]|map('default','x',boolean=true)|list }}", "['x', 1]"),
        (
            "{{ ''|default('e', boolean=true) }} {{ ''|default(boolean=true) }} {{ nope|default(default_value='q') }} {{ nope|d('x') }} {{ none|default('x') }} {{ 0|d('x', true) }} {{ nope|default(none) }}",
            "e  q x None x None",
        ),
        ("{{ 'aXbX'|replace('X','-',count=1) }} {{ 'aXbX'|replace(old='X', new='') }}", "a-bX ab"),
        (
            "{{ 'hello world foo'|truncate(8, leeway=0) }} {{ 'hello world foo'|truncate(8, leeway=0, killwords=true) }} {{ 'hello world foo'|truncate(length=9, end='..', leeway=0) }}",
            "hello... hello... hello..",
        ),
        ("{{ ' x'|trim(chars='x') }}|{{ 'xax'|trim('x') }}|{{ 'ab'|center(width=6) }}|", " |a|  ab  |"),
        (
            "{{ [1,2,3]|batch(linecount=2, fill_with='-')|list }} {{ [1,2,3]|slice(slices=2, fill_with=0)|list }} {{ [1,2,3]|batch(2)|list }}",
            "[[1, 2], [3, '-']] [[1, 2], [3, 0]] [[1, 2], [3]]",
        ),
        (
            "{{ 1500|filesizeformat(binary=true) }} {{ {'a': 1}|xmlattr(autospace=false) }} {{ '7'|int(default=1, base=8) }} {{ 'z'|int(base=10, default=4) }} {{ 'z'|float(default=1.5) }}",
            "1.5 KiB a=\"1\" 7 4 1.5",
        ),
        (
            "{{ 'a\\nb'|indent(width=2, first=true) }}|{{ 'a\\n\\nb'|indent(blank=true) }}|{{ [1, 2]|join(d='-') }}|{{ [{'a': 1}, {'a': 2}]|join(', ', attribute='a') }}",
            "  a\n  b|a\n    \n    b|1-2|1, 2",
        ),
        (
            "{{ 2.567|round(precision=1) }} {{ 2.5|round(method='floor') }} {{ 'a b c d'|wordwrap(wrapstring='/', width=3) }}",
            "2.6 2.0 a b/c d",
        ),
        (
            "{{ {'b': 1, 'a': 2}|dictsort(reverse=true) }} {{ {'b': 1, 'a': 2}|dictsort(by='value') }} {{ {'A': 1, 'a': 0}|dictsort(true, 'key') }}",
            "[('b', 1), ('a', 2)] [('b', 1), ('a', 2)] [('A', 1), ('a', 0)]",
        ),
        (
            "{{ [1, 2, 3, 4]|select('divisibleby', num=2)|list }} {{ 4 is divisibleby(num=2) }} {{ 1 is in(seq=[1]) }} {{ 1 is sameas(other=1) }}",
            "[2, 4] True True True",
        ),
        (
            "{{ [3, 1, 2]|sort(reverse=true) }} {{ ['b', 'A']|sort(case_sensitive=false) }} {{ ['b', 'A', 'a']|max(case_sensitive=true) }} {{ ['b', 'B']|unique(case_sensitive=true)|list }}",
            "[3, 2, 1] ['A', 'b'] b ['b', 'B']",
        ),
        (
            "{{ [{'k': 1}, {}]|map(attribute='k', default='-')|list }} {{ [{'k': 1}, {'k': 2}]|selectattr('k', 'eq', 2)|list }} {{ [{'k': 0}, {'k': 2}]|rejectattr('k')|list }}",
            "[1, '-'] [{'k': 2}] [{'k': 0}]",
        ),
        (
            "{{ {'a': 1, 'é': [1]}|tojson(2) }} {{ {'b': 1, 'a': 2}|tojson(sort_keys=true, separators=(',', ':')) }} {{ [1]|tojson(indent=1) }} {{ [1]|tojson(false, 2) }}",
            "{\"a\": 1, \"\\u00e9\": [1]} {\"a\":2,\"b\":1} [\n 1\n] [\n  1\n]",
        ),
        (
            "{{ 'see www.a.org'|urlize(rel='x', target='_blank') }} {{ 'www.aaaaaaaa.org'|urlize(6, nofollow=true) }}",
            "see <a href=\"https://www.a.org\" rel=\"noopener x\" target=\"_blank\">www.a.org</a> <a href=\"https://www.aaaaaaaa.org\" rel=\"nofollow noopener\">www.aa...</a>",
        ),
        (
            "{{ 'a\\nb'.splitlines(keepends=True) }} {{ 'a b c'.split(maxsplit=1) }} {{ 'a,b'.rsplit(sep=',') }} {{ 'a\\tb'.expandtabs(tabsize=2) }}",
            "['a\\n', 'b'] ['a', 'b c'] ['a', 'b'] a b",
        ),
        (
            "{{ ['ab', 'a']|map('truncate', 1, leeway=0, end='')|list }} {{ ['x']|map('center', width=3)|list }} {{ messages|map('attr', name='upper')|list|length }}",
            "['a', 'a'] [' x '] 2",
        ),
    ]);
}

#[test]
fn what_is_compared_may_be_numbered() {
    all_alike(&[
        (
            "{{ [(2, 1), (1, 2)]|sort(attribute=0) }} {{ [(2, 1), (1, 2)]|max(attribute=1) }} {{ [(2, 1), (1, 2)]|min(attribute=0) }}",
            "[(1, 2), (2, 1)] (1, 2) (1, 2)",
        ),
        (
            "{{ [(1, 2), (3, 4)]|sum(attribute=1) }} {{ [[1], [2]]|sum(start=[]) }} {{ [1.5, 2]|sum(start=1) }} {{ [{'a': [1, 2]}]|sum(attribute='a.1') }}",
            "6 [1, 2] 4.5 2",
        ),
        (
            "{{ [(1, 2), (1, 3)]|unique(attribute=0)|list }} {{ [(1, 2), (3, 4)]|map(attribute=1)|list }} {{ ['ab', 'c']|map(attribute=1, default='-')|list }}",
            "[(1, 2)] [2, 4] ['b', '-']",
        ),
        (
            "{{ [(0, 1), (2, 3)]|selectattr(0)|list }} {{ [(0, 1), (2, 3)]|rejectattr(0, 'gt', 1)|list }} {{ [(0, 1)]|groupby(attribute=0) }}",
            "[(2, 3)] [(0, 1)] [(0, [(0, 1)])]",
        ),
        (
            "{{ [{'a': 1, 'b': 2}, {'a': 1, 'b': 1}, {'a': 0, 'b': 3}]|sort(attribute='a,b') }} {{ ['b', 'B', 'a']|sort(reverse=true) }} {{ []|max is defined }} {{ ['b', 'B']|max }} {{ ['B', 'b']|min }}",
            "[{'a': 0, 'b': 3}, {'a': 1, 'b': 1}, {'a': 1, 'b': 2}] ['b', 'B', 'a'] False b B",
        ),
        (
            "{{ ['a', 'A', 'b']|unique|list }} {{ [1, true, 1.0]|unique|list }} {{ 'hello'|sort }} {{ {'b': 1, 'a': 2}|sort }}",
            "['a', 'b'] [1] ['e', 'h', 'l', 'l', 'o'] ['a', 'b']",
        ),
    ]);
}

#[test]
fn parts_and_places() {
    all_alike(&[
        (
            "{{ 'abcabc'.find('b', 2) }} {{ 'abcabc'.rfind('b', 0, 3) }} {{ 'abcabc'.index('c', 3) }} {{ 'abcabc'.count('b', 2) }} {{ 'abc'.find('z') }} {{ 'abc'.find('', 3) }} {{ 'abc'.find('', 4) }} {{ 'abc'.count('') }} {{ 'héllo'.find('l', -2) }}",
            "4 1 5 1 -1 3 -1 4 3",
        ),
        (
            "{{ 'abcabc'.startswith('b', 1) }} {{ 'abcabc'.endswith('b', 0, 2) }} {{ 'abc'.startswith(('x', 'a')) }} {{ 'abc'.endswith('', 4) }} {{ 'abc'.startswith('', 3) }} {{ 'abc'.startswith('c', -1) }}",
            "True True True False True True",
        ),
        (
            "{{ [1, 2, 1].index(1, 1) }} {{ [1, 2, 1].index(1, -1, 9) }} {{ (1, 2).index(2) }} {{ [1, 1].count(1) }}",
            "2 2 1 2",
        ),
        (
            "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }} {{ namespace(a=1) }} {{ namespace() }} {{ [ns] }} {% set m = namespace([('k', 1)]) %}{{ m.k }}",
            "12 <Namespace {'a': 1}> <Namespace {}> [<Namespace {'a': 1, 'b': 2}>] 1",
        ),
        (
            "{{ {'a': 1}.fromkeys([1, 2]) }} {{ {}.fromkeys('ab', 0) }} {{ '{:n}'.format(5) }} {{ '{:n} {:5n}'.format(1.5, 2) }}",
            "{1: None, 2: None} {'a': 0, 'b': 0} 5 1.5     2",
        ),
        (
            "{{ (5).real }} {{ (5).imag }} {{ (2.5).real }} {{ (2.5).imag }} {{ (6).numerator }} {{ (6).denominator }} {{ true.real }} {{ {'real': 'x'}.real }}",
            "5 0 2.5 0.0 6 1 1 x",
        ),
    ]);
}

#[test]
fn letters_and_white_space_are_those_of_python() {
    all_alike(&[
        (
            "{{ 'a\\x0bb\\x0cc\\u2028d'.splitlines() }} {{ 'a\\r\\nb\\n\\nc\\n'.splitlines() }} {{ 'a\\r\\nb\\x85c'.splitlines(true) }} {{ ''.splitlines() }}",
            "['a', 'b', 'c', 'd'] ['a', 'b', '', 'c'] ['a\\r\\n', 'b\\x85', 'c'] []",
        ),
        (
            "{{ '\\x1ca\\x1f'.strip() == 'a' }} {{ '\\x1ca'|trim == 'a' }} {{ '\\x1ca\\x1d'.lstrip() == 'a\\x1d' }} {{ 'xxaxx'.rstrip('x') }} {{ 'a\\x1fb c'.split() }} {{ '\\x1c '.isspace() }} {{ 'a \\x1e b'.rsplit(none, 1) }}",
            "True True True xxa ['a', 'b', 'c'] True ['a', 'b']",
        ),
        ("{{ 'Straße ẞ ﬁ ΣΑΣ ı İ ŉ Ꭰ ꭰ ᏸ ᾳ ᾼ'.casefold() }}", "strasse ss fi σασ ı i̇ ʼn Ꭰ Ꭰ Ᏸ αι αι"),
        (
            "{{ 'Ⅷ'.isupper() }} {{ 'ǅ'.isupper() }} {{ 'Aǅ'.isupper() }} {{ 'aⅷ'.islower() }} {{ 'aǅ'.islower() }} {{ '1'.isupper() }} {{ 'Aǅ' is upper }}",
            "True False False True False False False",
        ),
        (
            "{{ '²'.isdecimal() }} {{ '²'.isdigit() }} {{ '½'.isdigit() }} {{ '½'.isnumeric() }} {{ '٣𝟡'.isdecimal() }} {{ '①'.isdigit() }} {{ ''.isdecimal() }} {{ 'Ⅷ'.isdigit() }}",
            "False True False True True True False False",
        ),
        (
            "{{ 'ǅ'.istitle() }} {{ 'ǅa ᾼb'.istitle() }} {{ 'Aǅ'.istitle() }} {{ 'Ab c'.istitle() }}",
            "True True False False",
        ),
    ]);
}

#[test]
fn what_is_given_counts_although_it_is_none_or_undefined() {
    all_alike(&[
        (
            "{{ 'x' | int(missing) }}|{{ 'x' | int(none) }} {{ 'x' | float(default=none) }} {{ '11' | int(0, 2) }} {{ '7' | int(1, 99) }}",
            "|None None 3 7",
        ),
        (
            "{{ list | join(none) }} {{ list | join('-', none) }} {{ list | join('-', missing) }}|{{ list | map(attribute=none) | list }}",
            "aNonebNonec a-b-c --|['a', 'b', 'c']",
        ),
        (
            "{{ {'b': missing}.get('b', 1) }}|{{ {}.fromkeys('a', missing) }} {{ missing is sameas(missing) }} {{ none is sameas(none) }}",
            "|{'a': Undefined} False True",
        ),
        ("{{ {'a': 1} | xmlattr(missing) }} {{ 'a b c d e f g' | truncate(4, 1) }} {{ true | abs }}", "a=\"1\" a... 1"),
        ("{{ 2.5 | round(none) }} {{ 3 | round(none) }} {{ 2.5 | round }} {{ [] | sum(start=none) }}", "2 3 2.0 None"),
        (
            "{{ [1, 2] | batch(missing) | list }} {{ [1, 2] | batch(0) | list }} {{ [] | batch(0) | list }} {{ 'ba' | groupby(none) | map('first') | list }} {{ [3] | groupby('a') | list }}",
            "[[1, 2]] [[], [1, 2]] [] ['a', 'b'] [(Undefined, [3])]",
        ),
        (
            "{{ list | sort(2) }} {{ list | sort(0) }} {{ 'ba' | sort(attribute=missing) }} {{ ['b', 'a'] | min(attribute=none) }} {{ [{}, {}] | sort }}",
            "['c', 'b', 'a'] ['a', 'b', 'c'] ['b', 'a'] a [{}, {}]",
        ),
    ]);
}

#[test]
fn slices_are_those_of_python() {
    all_alike(&[
        (
            "{{ 'abc'[::-1] }} {{ list[-2:] }} {{ (1, 2, 3)[:2] }} {{ list[5:] }} {{ list[:-9] }} {{ 'abcdef'[4:1:-2] }} {{ list[none:none:2] }} {{ list[true:] }}",
            "cba ['b', 'c'] (1, 2) [] [] ec ['a', 'c'] ['b', 'c']",
        ),
        (
            "{{ list[list[:2] | length:] }} {{ {'a': [1, 2]}['a'][1:][0] }} {{ ('a' ~ 'bc')[1:] }} {{ -[3, 4][1:][0] }}{% for x in list[1:] %}{{ x }}{% endfor %}{% set t = list[: 2] %}{{ t }}",
            "['c'] 2 bc -4bc['a', 'b']",
        ),
    ]);
}

#[test]
fn a_value_that_python_has_no_use_for_is_refused() {
    for (source, part) in [
        ("{{ list[::0] }}", "slice step cannot be zero"),
        ("{{ nothing[1:] }}", "'NoneType' object is not subscriptable"),
        ("{{ map[1:] }}", "'dict' object"),
        ("{{ list[:map] }}", "slice indices must be integers or None"),
        ("{{ list[0.5:] }}", "slice indices must be integers or None"),
        ("{{ [1, 'a'] | max }}", "not supported between instances of"),
        ("{{ [1] | sum(start=none) }}", "unsupported operand type(s) for +: 'NoneType' and 'int'"),
        ("{{ [{}, {}] | min }}", "'<' not supported between instances of 'dict' and 'dict'"),
        ("{{ [[1], [1]] | unique | list }}", "unhashable type: 'list'"),
        ("{{ 3 | indent }}", "'int'"),
        ("{{ nothing | wordwrap }}", "'NoneType' object has no attribute 'splitlines'"),
        ("{{ (1, 2).copy() }}", "copy"),
        ("{{ [1].copy(2) }}", "copy"),
        ("{{ 1 is in('a') }}", "'in <string>' requires string as left operand, not int"),
        ("{{ 1 is in(2) }}", "'int' object is not iterable"),
        ("{{ ['b'] | sort('x') }}", "'str' object cannot be interpreted as an integer"),
        ("{{ dict(1, 2) }}", "dict expected at most 1 argument, got 2"),
        ("{{ dict(none) }}", "'NoneType' object is not iterable"),
    ] {
        let error = render(source).expect_err(source).to_string();
        assert!(error.contains(part), "{source}: {error}");
    }
}

#[test]
fn an_argument_that_nothing_takes_is_refused() {
    for (source, part) in [
        ("{{ text | center(size=3) }}", "center() got an unexpected keyword argument 'size'"),
        ("{{ text | center(3, width=3) }}", "center() got multiple values for argument 'width'"),
        ("{{ text | center(1, 2) }}", "center() takes at most 1 arguments"),
        ("{{ list | map('center', size=3) | list }}", "unexpected keyword argument 'size'"),
        ("{{ list | map(attribute=0, size=3) | list }}", "size"),
        ("{{ list | map | list }}", "map requires a filter argument"),
        ("{{ 4 is divisibleby(by=2) }}", "divisibleby() got an unexpected keyword argument 'by'"),
        ("{{ list | selectattr | list }}", "Missing parameter for attribute name"),
    ] {
        let error = render(source).expect_err(source).to_string();
        assert!(error.contains(part), "{source}: {error}");
    }
}
