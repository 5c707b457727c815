"""Random Jinja templates and conversations, for `templates.py`.

The lists are what Jinja2 has, written close together so that what is missing is seen.
"""
# ruff: noqa: E501, SIM905

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["SPECIAL", "VALUES", "Maker"]

T = TypeVar("T")

SPECIAL = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "image_token": "<image>",
}

VALUES: dict[str, Any] = {
    "s": "Hello wOrld é",
    "t": "  a\n  b\n\nc d\n",
    "e": "",
    "h": '<b>&"it\'s"</b> /x?y=1',
    "a": "(http://a.bc/d_(e)), www.x.org. <me@y.co> mailto:a@b.cd e.com:80/?q &lt;https://[::1]&gt;",
    "w": 2**70,
    "p": "12",
    "n": 3,
    "m": -7,
    "z": 0,
    "f": 2.5,
    "g": 1e20,
    "tiny": 1e-7,
    "T": True,
    "F": False,
    "N": None,
    "l": [3, 1, 2],
    "ls": ["b", "a", "C"],
    "lm": [1, "a", None, True, 1.5],
    "ll": [[1, 2], [3]],
    "ld": [{"k": "x", "v": 2}, {"k": "y", "v": 1}, {"k": "x", "v": 3}],
    "el": [],
    "d": {"b": 1, "a": "x", "C": [1]},
    "dd": {"o": {"i": {"s": "deep"}}, "items": 5},
    "ed": {},
}

FILTERS = """abs attr('k') batch(2) batch(2,'-') capitalize center(12) count default('D') default('D',true) d(1) dictsort
dictsort(true) dictsort(by='value') e escape filesizeformat first float float(1.5) forceescape format(1,'x')
groupby('k') indent indent(2) indent(2,true) indent(width=2,first=true,blank=true) indent('>') int int(0,16) int(5)
items join join('-') join(', ',attribute='k') last length list lower map('upper') map('length') map(attribute='k')
map(attribute='zz',default='Q') max min max(attribute='v') pprint random|length|string|length reject reject('string')
rejectattr('v') rejectattr('v','eq',1) replace('a','X') replace('l','L',1) reverse reverse|list round round(1)
round(0,'floor') round(2,'ceil') safe select select('number') select('gt',1) selectattr('k') selectattr('k','eq','x')
slice(2) slice(2,'-') sort sort(true) sort(attribute='v') sort(reverse=true,case_sensitive=true) string striptags sum
sum(attribute='v') sum(start=10) title tojson tojson(indent=2) tojson(ensure_ascii=true) tojson(sort_keys=true)
tojson(separators=(',',':')) trim trim('a') urlize(5) urlize(nofollow=true,rel='a b') attr('upper') attr('items') truncate truncate(5) truncate(5,true) truncate(7,true,'..',0) unique
unique(true) unique(attribute='k') upper urlencode urlize wordcount wordwrap(5) xmlattr list|join('|') sort|join
first|upper last|string items|list select|list reject|list map('string')|list map('int')|list unique|list
groupby('k')|list batch(2)|list slice(2)|list dictsort|list reverse|join""".split()

TESTS = """boolean callable defined divisibleby(2) eq(3) equalto('x') escaped even false filter float ge(1) gt(1)
greaterthan(0) in([1,'a',3]) integer iterable le(1) lower lt(1) lessthan(3) mapping ne(1) none number odd sameas(true)
sequence string test true undefined upper""".split()

METHODS = """s.upper() s.lower() s.title() s.capitalize() s.swapcase() s.casefold() s.strip() t.strip() t.lstrip()
t.rstrip() t.rstrip('\\n') s.strip('Hé') s.split() t.split('\\n') s.split('o',1) s.rsplit('o',1) s.split(sep='l')
s.split(maxsplit=1) t.splitlines() t.splitlines(true) s.partition('o') s.rpartition('o') s.replace('o','0')
s.replace('l','L',1) s.find('o') s.rfind('o') s.find('zz') s.index('o') s.count('l') s.startswith('He') s.endswith('é')
s.startswith(('x','He')) s.startswith('w',6) s.zfill(20) p.zfill(5) s.ljust(20,'.') s.rjust(20) s.center(21,'*')
s.isalpha() s.isdigit() p.isdigit() s.isalnum() s.isspace() s.isupper() s.islower() s.istitle() s.isdecimal()
s.isnumeric() s.isidentifier() s.isascii() s.isprintable() s.removeprefix('He') s.removesuffix('é') s.join(ls)
','.join(ls) s.expandtabs(4) s.encode() '{}-{}'.format(n,s) '{0}{1}{0}'.format(n,f) '{a}'.format(a=n)
'{:>8}|{:<5}|{:^7}'.format(s,n,p) '{:.2f}'.format(f) '{:05d}'.format(n) '{!r}'.format(s) '{:,}'.format(1234567)
'{:x}'.format(255) '{:e}'.format(f) '%s'.format(1) d.items() d.keys() d.values() d.get('a') d.get('q') d.get('q',1)
d.items()|list d.keys()|list d.values()|list d.copy() dd.items dd['items'] l.index(1) l.count(1) l.copy() ls.index('a')
s.translate({}) l.append(1) l.pop() l.extend([1]) l.insert(0,1) l.reverse() l.sort() d.update({}) d.pop('a') d.clear()
d.setdefault('q',1) n.bit_length() f.is_integer() s.format_map(d) s.maketrans('a','b')
d.items d.get s.strip s.upper l.index l.append d.update n.bit_length f.hex d['keys'] dd['items'] dd.o.items dd.o['get']
(s.strip)() (d.get)('a') w.bit_length()""".split("\n")
METHODS = [method for line in METHODS for method in line.split(" ")]

CALLS = [
    "range(3)",
    "range(1,7,2)",
    "range(3,0,-1)",
    "range(3)|list",
    "dict(a=1)",
    "dict(d,q=1)",
    "dict([['a',1]])",
    "namespace(a=1).a",
    "joiner()",
    "cycler('a','b').next()",
    "lipsum(1)|length>0",
    "strftime_now",
    "raise_exception",
]


class Maker:
    """Makes templates and conversations."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.names = 0

    def pick(self, *choices: T) -> T:
        return self.rng.choice(choices)

    def constant(self) -> str:
        return self.pick(
            "1",
            "0",
            "-2",
            "3.0",
            "1.5",
            "1e3",
            "1_000",
            "'a'",
            "'b c'",
            '"q"',
            "''",
            "'\\n'",
            "'\\u00e9'",
            "true",
            "false",
            "none",
            "True",
            "None",
            "[]",
            "{}",
            "()",
            "(1,)",
            "(1, 'a')",
            "[1, 2.0]",
            "{'a': 1}",
            "{1: 'x', 'y': none}",
            "'a' 'b'",
            "'%s'",
            "'%d|%5.1f'",
            "'x' * 3",
            "[0] * 2",
        )

    def expression(self, depth: int) -> str:
        if depth <= 0:
            return self.pick(self.constant(), self.rng.choice(list(VALUES)), "undef")

        def sub() -> str:
            return self.expression(depth - 1 - self.rng.randrange(2))

        kinds: list[Callable[[], str]] = [
            self.constant,
            lambda: self.rng.choice(list(VALUES)),
            lambda: f"{sub()}|{self.rng.choice(FILTERS)}",
            lambda: f"({sub()})|{self.rng.choice(FILTERS)}",
            lambda: f"{self.rng.choice(list(VALUES))}|{self.rng.choice(FILTERS)}|{self.rng.choice(FILTERS)}",
            lambda: f"({sub()}) is {self.pick('', 'not ')}{self.rng.choice(TESTS)}",
            lambda: self.rng.choice(METHODS),
            lambda: self.rng.choice(CALLS),
            lambda: f"{sub()} {self.pick('+', '-', '*', '/', '//', '%', '**', '~')} {sub()}",
            lambda: f"({sub()}) {self.pick('+', '%', '~', '*', '//')} ({sub()})",
            lambda: (
                f"'{self.pick('%s', '%r', '%d', '%5s|', '%-5s|', '%.2f', '%x', '%%', '%05d', '%s %s', '%(a)s')}' % {sub()}"
            ),
            lambda: f"({sub()}) {self.pick('==', '!=', '<', '>', '<=', '>=', 'in', 'not in', 'and', 'or')} ({sub()})",
            lambda: f"{sub()} {self.pick('==', '<', '>=')} {sub()} {self.pick('==', '<')} {sub()}",
            lambda: f"not {sub()}",
            lambda: f"-{self.pick('n', 'm', 'f', 'l|first', '(n)')}",
            lambda: f"({sub()} if {sub()} else {sub()})",
            lambda: f"({sub()} if {sub()})",
            lambda: (
                f"{self.pick('s', 'l', 'ls', 'll', 't', '(1,2,3)', 'range(5)')}[{self.pick('0', '-1', '5', '1:', ':-1', '::-1', '::2', '1:2', '-2:', ':', 'n', '10:')}]"
            ),
            lambda: (
                f"{self.pick('d', 'dd', 'ld[0]', 'ed', 's', 'l', 'N', 'undef', 'n')}{self.pick('.a', '.b', '.o.i.s', '.k', '.zz', '.items', '.zz.yy', chr(91) + chr(39) + 'a' + chr(39) + chr(93), '[0]', '[1.0]', '[true]', '.0', '.__class__', '.upper')}"
            ),
            lambda: f"[{sub()}, {sub()}]",
            lambda: f"({sub()}, {sub()})",
            lambda: f"{{'k': {sub()}, {self.pick('1', 's', '2.0', 'true', 'none')}: {sub()}}}",
        ]
        return self.rng.choice(kinds)()

    def body(self, depth: int) -> str:
        return "".join(self.statement(depth) for _ in range(self.rng.randrange(1, 4)))

    def tag(self, inside: str) -> str:
        return "{%" + self.pick("", "", "", "-", "+") + " " + inside + " " + self.pick("", "", "", "-", "+") + "%}"

    def statement(self, depth: int) -> str:

        def value() -> str:
            return self.expression(2)

        simple: list[Callable[[], str]] = [
            lambda: self.pick("text", " ", "\n", "\n\n", "  \n ", "a\r\nb", "{ x }", "é", "\t", "% }", "#"),
            lambda: "{{" + self.pick("", "-", "") + " " + value() + " " + self.pick("", "-", "") + "}}",
            lambda: "{{" + self.expression(3) + "}}",
            lambda: "{#" + self.pick("", "-") + " note " + self.pick("", "-") + "#}",
            lambda: self.tag("raw") + self.pick("\n{{ a }}", "x {% y %}\n", " {# #} ") + self.tag("endraw"),
            lambda: self.tag(f"set v = {value()}") + "{{ v }}",
            lambda: self.tag(f"set v, w = {self.pick('(1, 2)', 'll[0]', value())}") + "{{ v }}{{ w }}",
            lambda: self.tag(f"set ns.x = {value()}") + "{{ ns.x }}",
            lambda: self.tag("set v") + self.pick("block\n", "{{ s }}") + self.tag("endset") + "{{ v|upper }}",
            lambda: "{{ m(" + self.pick("", "1", "1, 2", "b=3", "1, b=2", "z=1", "1,2,3") + ") }}",
            lambda: (
                "{{ "
                + self.pick(
                    "s", "l", "d", "undef", "loop", "m", "ns", "cycler", "self", "messages", "tools", "bos_token"
                )
                + " }}"
            ),
        ]
        if depth <= 0:
            return self.rng.choice(simple)()

        def inner() -> str:
            return self.body(depth - 1)

        def loop() -> str:
            return self.pick(
                "{{ loop.index }}",
                "{{ loop.last }}",
                "{{ loop.length }}",
                "{{ loop.revindex0 }}",
                "{{ loop.cycle('a','b') }}",
                "{{ loop.previtem }}",
                "{{ loop.nextitem }}",
                "{{ loop.changed(x) }}",
                "{{ loop.first }}",
                "{{ loop.depth }}",
                "{{ loop.nextitem is defined }}",
                "{{ loop.zz }}",
                "",
            )

        def over() -> str:
            return self.pick(
                "l",
                "ls",
                "s",
                "t",
                "d",
                "d.items()",
                "ld",
                "el",
                "undef",
                "range(4)",
                "N",
                "n",
                "lm|select",
                "d|items",
                "d|dictsort",
                "ls|reverse",
                "ll",
                "messages",
                "ls|map('upper')",
                "'ab'",
                value(),
            )

        complex_: list[Callable[[], str]] = [
            lambda: self.tag(f"if {value()}") + inner() + self.tag("endif"),
            lambda: (
                self.tag(f"if {value()}")
                + inner()
                + self.tag(f"elif {value()}")
                + inner()
                + self.tag("else")
                + inner()
                + self.tag("endif")
            ),
            lambda: self.tag(f"for x in {over()}") + "{{ x }}" + loop() + inner() + self.tag("endfor"),
            lambda: (
                self.tag(f"for x in {over()}") + "{{ x }}" + loop() + self.tag("else") + "none" + self.tag("endfor")
            ),
            lambda: (
                self.tag(f"for x in {over()} if {self.pick('x', 'x is string', 'loop', 'x != 1', value())}")
                + "{{ x }}"
                + loop()
                + self.tag("endfor")
            ),
            lambda: (
                self.tag(f"for k, v in {self.pick('d.items()', 'd|items', 'd|dictsort', 'll', 'ld', 'dd.o.items()')}")
                + "{{ k }}={{ v }};"
                + loop()
                + self.tag("endfor")
            ),
            lambda: (
                self.tag("for x in [1,[2,[3]]] recursive")
                + "{{ loop(x) if x is iterable else x }}"
                + loop()
                + self.tag("endfor")
            ),
            lambda: (
                self.tag("for x in l")
                + self.tag(f"if x == {self.pick('1', '2', '3')}")
                + self.tag(self.pick("break", "continue"))
                + self.tag("endif")
                + "{{ x }}"
                + self.tag("endfor")
            ),
            lambda: (
                self.tag("set v = 0")
                + self.tag("for x in l")
                + self.tag("set v = v + x")
                + "{{ v }}"
                + self.tag("endfor")
                + "{{ v }}"
            ),
            lambda: (
                self.tag(f"macro m(a, b={self.pick('2', 'a', 's')})")
                + "{{ a }}{{ b }}{{ "
                + self.pick("varargs", "kwargs", "caller", "s", "name", "caller()", "v")
                + " }}"
                + inner()
                + self.tag("endmacro")
                + self.pick("{{ m(1) }}", "{{ m.name }}", "{{ m }}", "")
            ),
            lambda: (
                self.tag("macro m(a)")
                + "[{{ caller(a) }}]"
                + self.tag("endmacro")
                + self.tag(f"call{self.pick('', '(q)')} m({self.pick('1', 's')})")
                + inner()
                + self.tag("endcall")
            ),
            lambda: (
                self.tag(f"filter {self.pick('upper', 'trim', 'indent(2)', 'replace(1,2)', 'length')}")
                + inner()
                + self.tag("endfilter")
            ),
            lambda: self.tag(f"with a={value()}, q=1") + "{{ a }}" + inner() + self.tag("endwith"),
            lambda: (
                self.tag("block b" + str(self.rng.randrange(1000)) + self.pick("", "", " scoped"))
                + "{{ x }}{{ v }}{{ loop }}"
                + inner()
                + self.tag("endblock")
            ),
            lambda: self.tag(f"set {self.pick(*VALUES)} = {value()}"),
            lambda: self.tag("set v = s.upper") + "{{ v() }}{{ v is callable }}{{ 'y' if v }}",
            lambda: self.tag("generation") + inner() + self.tag("endgeneration"),
            lambda: self.tag("set v | upper") + inner() + self.tag("endset") + "{{ v }}",
            lambda: self.tag("autoescape " + self.pick("true", "false")) + "{{ h }}" + self.tag("endautoescape"),
            lambda: self.tag(
                self.pick("do l", "include 'x'", "import 'x' as y", "extends 'x'", "trans", "unknown", "else", "endfor")
            ),
        ]
        return self.rng.choice(simple + complex_ + complex_)()

    def template(self) -> str:
        start = self.pick("", "{% set ns = namespace(x=1) %}", "{%- set ns = namespace(x=1) -%}\n")
        return start + self.body(self.rng.randrange(3)) + self.pick("", "\n", "\n\n")

    def text(self) -> str:
        return self.pick(
            "Hi",
            "",
            " two  spaces ",
            "line\nline\n",
            "é 日本 😀",
            "<|im_end|>",
            "{{ x }}",
            "<think>a</think>\n\nb",
            '{"a": 1}',
            "</tool_call>",
            "\r\n",
        )

    def arguments(self) -> dict[str, Any]:
        return self.pick(
            {"a": 1}, {"city": "Paris", "n": [1, 2.5, None]}, {}, {"x": {"y": "z"}, "big": 1e20, "s": "é\n"}
        )

    def conversation(self) -> dict[str, Any]:
        messages: list[dict[str, Any]] = []
        if self.rng.random() < 0.5:
            messages.append({"role": self.pick("system", "developer"), "content": self.text()})
        for _ in range(self.rng.randrange(1, 4)):
            messages.append({"role": "user", "content": self.text()})
            kind = self.rng.randrange(4)
            if kind == 0:
                call = {
                    "type": "function",
                    "id": "call_123456789"[: 9 + self.rng.randrange(2)],
                    "function": {"name": "f", "arguments": self.arguments()},
                }
                messages.append(
                    {
                        "role": "assistant",
                        "content": self.pick(None, "", "calling"),
                        "tool_calls": [call] * self.pick(1, 1, 2),
                    }
                )
                messages.append({"role": "tool", "name": "f", "tool_call_id": call["id"], "content": self.text()})
                messages.append({"role": "assistant", "content": self.text()})
            elif kind < 3:
                messages.append(
                    {"role": "assistant", "content": self.text()}
                    | self.pick({}, {}, {"reasoning_content": "why"}, {"thinking": "hm"})
                )
        if self.rng.random() < 0.7 and messages and messages[-1]["role"] == "assistant":
            messages.append({"role": "user", "content": self.text()})
        for _ in range(self.pick(0, 0, 0, 1, 1, 2)):
            self.spoil(messages)
        tool = {
            "type": "function",
            "function": {
                "name": "f",
                "description": "Does it.\nReally.",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "a": {"type": "integer", "description": "é"},
                        "b": {"type": ["string", "null"], "enum": ["x", "y"]},
                    },
                    "required": ["a"],
                },
            },
        }
        return {
            "messages": messages,
            "tools": self.pick(None, None, [tool], [tool, tool]),
            "add_generation_prompt": self.rng.random() < 0.6,
            "variables": self.pick(
                {}, {}, {"enable_thinking": False}, {"enable_thinking": True, "date_string": "1 Jan 2025"}
            ),
            "special": SPECIAL,
        }

    def spoil(self, messages: list[dict[str, Any]]) -> None:
        """Makes a conversation odd."""
        call = {
            "type": "function",
            "id": self.pick(7, None, "", "x\x01", "call_é"),
            "function": {
                "name": "g",
                "arguments": {"deep": [{"a": [{"b": {"c": [[], {}, None, 1e-7]}}]}], "é\n": "\x00\x7f"},
            },
        }
        result = {"role": "tool", "name": "g", "tool_call_id": call["id"], "content": self.text()}
        kinds: list[Callable[[], Any]] = [
            messages.clear,
            lambda: messages.insert(len(messages), {"role": "system", "content": "Late."}),
            lambda: messages.extend([{"role": "assistant", "content": self.text()}] * 2),
            lambda: messages.insert(0, result),
            lambda: messages.insert(0, {"role": "assistant", "content": self.text()}),
            lambda: messages.append({"role": "assistant", "content": self.pick(None, ""), "tool_calls": [call]}),
            lambda: messages.append({"role": "assistant", "content": "", "tool_calls": []}),
            lambda: messages.append(
                {"role": "user", "content": [{"type": "text", "text": self.text()}] * self.pick(1, 2)}
            ),
            lambda: messages.append({"role": "user", "content": ""}),
            lambda: messages.append({"role": "user", "content": "\x00\x1b[0m\u200b\u202e\U0001f468\u200d\ufdd0\u2028"}),
            lambda: messages.append({"role": self.pick("function", "ipython", "critic", ""), "content": self.text()}),
            lambda: messages.append(
                {"role": "assistant", "content": self.text(), "reasoning_content": self.pick("", "why", "</think>")}
            ),
        ]
        self.rng.choice(kinds)()

    def made(self) -> dict[str, Any]:
        case = {"messages": [{"role": "user", "content": "Hi"}], "tools": None, "add_generation_prompt": True}
        return case | {"template": self.template(), "variables": VALUES, "special": SPECIAL}
