"""The page, as a browser has it: what a person types, clicks and sees."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import trillm

from .asking import Asker
from .browser import Browser

HOSTILE = "<img src=x onerror=hit=1>"

DONE = "document.querySelector('.assistant:last-child .fine')"


@pytest.fixture(scope="module")
def long_model(write_model: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that answers for long, under a name that a page must not read as HTML."""
    path = tmp_path_factory.mktemp("models") / f"{HOSTILE}.gguf"
    write_model("tiny", path, "--context", "4096", "--seed", "5")
    return path


@pytest.fixture(scope="module")
def served(router: trillm.LLMRouter, model: trillm.RoutedModel, tiny_model: Path, long_model: Path) -> Iterator[str]:
    """A server of both models; where its page is."""
    assert model.name == str(tiny_model)
    router.load_model(long_model, threads=1, parallel=2)
    with router.serve(models=[tiny_model, long_model], port=0) as server:
        yield server.url


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "profile") as made:
        yield made
        assert made.faults() == []


@pytest.fixture
def page(browser: Browser, served: str) -> Browser:
    """The chat, with the tiny model chosen and short answers, as a person has it who was here before."""
    browser.open(served)
    parameters = {"max_tokens": "8", "temperature": "0"}
    browser.run(f"localStorage.setItem('trillm.parameters', {json.dumps(json.dumps(parameters))})")
    browser.run("localStorage.setItem('trillm.model', 'tiny')")
    browser.open(served)
    browser.until("document.querySelector('#model').value === 'tiny'")
    return browser


def send(page: Browser, text: str) -> None:
    """Writes a message and waits for the answer to it."""
    count = page.run("document.querySelectorAll('.assistant').length")
    page.click("#text")
    page.write(text)
    page.press("Enter")
    page.until(f"document.querySelectorAll('.assistant').length === {count + 1} && {DONE}")


def kept(page: Browser) -> list[Any]:
    """The conversations that the browser has."""
    script = "Object.keys(localStorage).filter(it => it.startsWith('trillm.chat.')).map(it => localStorage[it])"
    return [json.loads(text) for text in page.run(script)]


def test_the_page_is_guarded_against_all_that_is_not_its_own(ask: Asker) -> None:
    answer = ask("/")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert ask("/", If_None_Match=answer.headers["etag"]).status == 304
    assert ask("/page/main.js").headers["content-type"] == "text/javascript; charset=utf-8"
    for path in ("/page/none.js", "/page/..%2FCargo.toml"):
        missing = ask(path)
        assert (missing.status, missing.json["error"]["code"]) == (404, "unknown_route"), path
    assert ask("/", Host="evil.example").status == 403


def test_a_chat_is_answered_and_kept(page: Browser, model: trillm.RoutedModel, served: str) -> None:
    send(page, "the man")
    expected = model.chat([{"role": "user", "content": "the man"}], max_tokens=8, temperature=0)
    assert expected.usage.completion_tokens == 8
    (conversation,) = kept(page)
    said = [(message["role"], message["content"]) for message in conversation["messages"]]
    assert said == [("user", "the man"), ("assistant", expected.text)]
    assert "8 tokens" in page.text(".assistant .fine")
    assert f"prompt {expected.usage.prompt_tokens} tokens" in page.text(".assistant .fine")
    # A second message has the first ones before it.
    send(page, "and then")
    history = [{"role": role, "content": content} for role, content in said]
    then = model.chat([*history, {"role": "user", "content": "and then"}], max_tokens=8, temperature=0)
    assert kept(page)[0]["messages"][-1]["content"] == then.text
    page.open(served)
    page.until("document.querySelectorAll('article').length === 4")
    page.answer_dialogs()
    page.click("#conversations [aria-label='Delete: the man']")
    page.until("document.querySelectorAll('article').length === 0")
    assert kept(page) == []


def test_an_answer_is_stopped_by_escape(page: Browser, long_model: Path, router: trillm.LLMRouter) -> None:
    page.run(f"document.querySelector('#model').value = {json.dumps(HOSTILE)}")
    page.run("document.querySelector('#max_tokens').value = '4000'")
    page.click("#text")
    page.write("the")
    page.press("Enter")
    page.until("document.querySelector('.assistant .body').textContent.length > 20")
    assert page.text("#stop") == "Stop"
    page.press("Escape")
    page.until("document.querySelector('.assistant .notice')?.textContent === 'Stopped.'")
    page.until("document.querySelector('#stop').hidden && !document.querySelector('#send').hidden")
    (conversation,) = kept(page)
    assert len(conversation["messages"][1]["content"]) > 20
    # The server stopped, too.
    while router.stats()["models"][str(long_model)]["running"]:
        pass
    assert router.stats()["models"][str(long_model)]["cancelled"] >= 1


def test_an_answer_is_made_again_and_a_message_changed(page: Browser, model: trillm.RoutedModel) -> None:
    send(page, "one")
    send(page, "two")
    page.click(".assistant:last-child button[aria-label=Regenerate]")
    page.until(DONE)
    assert [message["role"] for message in kept(page)[0]["messages"]] == ["user", "assistant"] * 2
    page.click("article:first-child button")
    assert page.focus() == "Edited message"
    page.run("document.activeElement.select()")
    page.write("three")
    page.press("Enter")
    page.until(f"document.querySelectorAll('article').length === 2 && {DONE}")
    expected = model.chat([{"role": "user", "content": "three"}], max_tokens=8, temperature=0).text
    said = [message["content"] for message in kept(page)[0]["messages"]]
    assert said == ["three", expected]


def test_parameters_and_the_system_message_are_sent(page: Browser, model: trillm.RoutedModel) -> None:
    page.click("#parameters summary")
    for name, value in (("temperature", "0.8"), ("seed", "7"), ("max_tokens", "6"), ("system", "be brief")):
        page.run(f"document.querySelector('#{name}').focus()")
        page.run("document.activeElement.select()")
        page.write(value)
    send(page, "hello")
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]
    expected = model.chat(messages, max_tokens=6, temperature=0.8, seed=7)
    assert kept(page)[0]["messages"][1]["content"] == expected.text


def test_a_model_is_chosen_and_loaded_with_its_plan_before(
    page: Browser, router: trillm.LLMRouter, tiny_model: Path, served: str
) -> None:
    router.unload_model(tiny_model)
    plan = router.plan(str(tiny_model))
    page.open(served)
    page.until("document.querySelector('#plan').textContent.startsWith('Takes')")
    assert f"Takes {plan.total / 1e6:.1f} MB of " in page.text("#plan")
    assert "it fits" in page.text("#plan")
    page.click("#load")
    page.until("document.querySelector('#plan').textContent === 'Loaded.'")
    assert str(tiny_model) in router.loaded()
    assert page.text("#model option:checked") == "tiny (loaded)"


def test_the_dashboard_shows_and_manages_models(page: Browser, router: trillm.LLMRouter, tiny_model: Path) -> None:
    send(page, "a")
    page.click("#to-dashboard")
    page.until("document.querySelectorAll('#models tr').length === 2")
    page.until("document.querySelectorAll('#charts svg').length === 5")
    assert "Throughput" in page.text("#charts")
    assert "Up for" in page.text("#summary")
    planned = router.stats()["bytes"]
    assert f"By plan the models take {planned / 1e6:.1f} MB" in page.text("#memory")
    page.click("#models button[aria-label='Pin: tiny']")
    page.until("document.querySelector('#models').textContent.includes('loaded, pinned')")
    assert router.stats()["models"][str(tiny_model)]["pinned"]
    page.click("#models button[aria-label='Unpin: tiny']")
    page.until("document.querySelector(`#models button[aria-label='Pin: tiny']`)")
    page.click("#models button[aria-label='Unload: tiny']")
    page.until("document.querySelector(`#models button[aria-label='Load: tiny']`)")
    assert str(tiny_model) not in router.loaded()
    page.click("#models button[aria-label='Load: tiny']")
    page.until("document.querySelector(`#models button[aria-label='Unload: tiny']`)")
    assert str(tiny_model) in router.loaded()


def test_errors_are_shown_with_what_may_help(page: Browser, served: str) -> None:
    page.run("document.querySelector('#temperature').value = '1000'")
    page.run("document.querySelector('#temperature').max = '10000'")
    page.click("#text")
    page.write("hot")
    page.press("Enter")
    page.until("document.querySelector('.assistant .notice')")
    assert "temperature is 1000" in page.text(".assistant .notice")
    page.click("#to-dashboard")
    page.until("document.querySelector('#errors strong')?.textContent === 'invalid_parameter'")
    assert "temperature is 1000" in page.text("#errors")
    errors = Asker(int(served.rsplit(":", 1)[1]))("/errors").json
    assert errors["errors"][-1]["context"] == {"call": "/v1/chat/completions", "model": "tiny"}
    assert errors["counts"]["invalid_parameter"] >= 1


HOSTILE_TEXTS = [
    HOSTILE,
    "<script>hit=1</script>",
    "[a](javascript:hit=1)",
    "[a](JaVaScRiPt:hit=1)",
    "[a](java\nscript:hit=1)",
    "[a](data:text/html,<script>hit=1</script>)",
    "![a](https://example.com/x.png)",
    "`<b>x</b>`\n\n```html\n<img src=x onerror=hit=1>\n```",
    '[a](https://example.com/"onmouseover="hit=1)',
    "| <img src=x onerror=hit=1> | b |\n|---|---|\n| c | [d](vbscript:x) |",
    "**<iframe src=javascript:hit=1>**",
]


def test_nothing_that_a_model_or_a_user_writes_is_read_as_html(page: Browser, served: str) -> None:
    messages = [{"role": role, "model": "tiny", "content": text} for text in HOSTILE_TEXTS for role in ROLES]
    conversation = {"id": "x", "title": HOSTILE, "updated": 1, "model": HOSTILE, "messages": messages}
    page.run(f"localStorage.setItem('trillm.chat.x', {json.dumps(json.dumps(conversation))})")
    page.open(served)
    page.until(f"document.querySelectorAll('article').length === {len(messages)}")
    page.until("document.querySelectorAll('#model option').length === 2")
    # What was written as code is there as text, and so is the name of a model.
    assert HOSTILE in page.text("pre code")
    assert HOSTILE in page.text("#model")
    assert page.run("document.querySelectorAll('#main img, #main script, #main iframe, #main b').length") == 0
    assert page.run("[...document.querySelectorAll('.body a')].map(it => it.protocol)") == ["https:", "https:"]
    rel = page.run("[...document.querySelectorAll('.body a')].map(it => it.rel)")
    assert rel == ["noopener noreferrer nofollow"] * 2
    assert page.run("document.querySelectorAll('[onerror], [onmouseover], [onclick]').length") == 0
    page.click("#new")
    send(page, HOSTILE)
    page.click("#to-dashboard")
    page.until("document.querySelectorAll('#models tr').length === 2")
    assert HOSTILE in page.text("#models")
    assert page.run("document.querySelectorAll('#main img').length") == 0
    assert page.run("typeof hit") == "undefined"


ROLES = ("user", "assistant")

MARKDOWN = [
    ("a **b** *c* ~~d~~ `e`", "<p>a <strong>b</strong> <em>c</em> <s>d</s> <code>e</code></p>"),
    ("# One\n\ntwo\nthree", "<h3>One</h3><p>two<br>three</p>"),
    ("- a\n- b\n  - c\n\n1. x\n2. y", "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul><ol><li>x</li><li>y</li></ol>"),
    ("> a\n> b", "<blockquote><p>a<br>b</p></blockquote>"),
    ("snake_case_name 2*3*4 * x", "<p>snake_case_name 2<em>3</em>4 * x</p>"),
    ("**open", "<p>**open</p>"),
    ("---", "<hr>"),
    ("\\*a\\* <b>", "<p>*a* &lt;b&gt;</p>"),
    (
        "https://example.com/a_b.",
        '<p><a href="https://example.com/a_b" rel="noopener noreferrer nofollow" target="_blank">'
        "https://example.com/a_b</a>.</p>",
    ),
    (
        "| a | b |\n|---|:-:|\n| 1 | 2 |",
        '<div class="scroll" tabindex="0"><table><thead><tr><th>a</th><th>b</th></tr></thead>'
        "<tbody><tr><td>1</td><td>2</td></tr></tbody></table></div>",
    ),
]


def rendered(page: Browser, text: str) -> Any:
    script = f"""import("/page/markdown.js").then(({{ render }}) => {{
        const place = document.createElement("div");
        place.append(render({json.dumps(text)}));
        return place.innerHTML;
    }})"""
    return page.run(script)


def test_markdown_is_shown_as_people_expect(page: Browser) -> None:
    for text, expected in MARKDOWN:
        assert rendered(page, text) == expected, text
    code = rendered(page, "```py\nif a < b:\n    **x**\n```\nafter")
    assert "<code>if a &lt; b:\n    **x**</code>" in code
    assert code.endswith("<p>after</p>")


def test_no_text_takes_a_browser_long(page: Browser) -> None:
    """Each of these took minutes if one mark were searched for from every other one."""
    for piece in ("*", "**a ", "`", "[", "[a](", "_a", "> ", "- ", "# #", "|-", "http://", "  ", "\\", "~~~"):
        text = piece * (200_000 // len(piece))
        assert rendered(page, text) is not None
        assert rendered(page, "# a" + text + "x") is not None


def test_it_is_used_by_keyboard_alone(page: Browser) -> None:
    assert page.focus() == "text"
    page.write("one")
    page.press("Enter", shift=True)
    page.write("two")
    assert page.run("document.querySelector('#text').value") == "one\ntwo"
    page.press("Enter")
    page.until(DONE)
    seen = []
    page.run("document.activeElement.blur()")
    for _ in range(40):
        page.press("Tab")
        if page.run("document.activeElement === document.body"):
            # Once around.
            continue
        seen.append(page.focus())
        if seen[-1] == "text":
            break
        # Whoever has the focus can be seen to have it.
        outline = page.run("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", seen
    wanted = ["To the content", "Chat", "Dashboard", "to-key", "new", "Delete: one", "model", "Parameters"]
    places = [
        next((place for place, it in enumerate(seen) if it in (name, f"to-{name.lower()}")), -1) for name in wanted
    ]
    assert places == sorted(places), seen
    assert -1 not in places, seen
    page.run("document.querySelector('#to-dashboard').focus()")
    page.press("Enter")
    page.until("document.querySelectorAll('#models tr').length === 2")


def test_it_fits_a_phone(page: Browser) -> None:
    page.size(360, 640)
    send(page, "x" * 200)
    for view in ("#chat", "#dashboard"):
        page.run(f"location.hash = {json.dumps(view)}")
        page.until("document.querySelectorAll('#models tr').length === 2" if view == "#dashboard" else "true")
        assert page.run("document.documentElement.scrollWidth") <= 360
    page.run("location.hash = '#chat'")
    page.until("!document.querySelector('#chat').hidden")
    assert page.run("document.querySelector('#side').offsetHeight") == 0
    page.click("#menu")
    assert page.run("document.querySelector('#side').offsetHeight > 0")
    assert page.run("document.querySelector('#menu').getAttribute('aria-expanded')") == "true"
    # What one writes in is on the screen.
    bottom = page.run("document.querySelector('#text').getBoundingClientRect().bottom")
    assert 0 < bottom <= 640


def test_a_key_is_asked_for_and_kept_for_the_tab(
    browser: Browser, router: trillm.LLMRouter, tiny_model: Path, model: trillm.RoutedModel
) -> None:
    assert model.name == str(tiny_model)
    with router.serve(models=[tiny_model], port=0, api_keys=["secret"]) as server:
        browser.open(server.url)
        browser.until("document.querySelector('#key-dialog').open")
        browser.write("secret")
        browser.press("Enter")
        browser.until("[...document.querySelectorAll('#model option')].some(it => it.value === 'tiny')")
        assert browser.run("sessionStorage.getItem('trillm.key')") == "secret"
        assert "secret" not in browser.run("JSON.stringify(localStorage)")
        browser.run("document.querySelector('#max_tokens').value = '4'")
        browser.run("document.querySelector('#model').value = 'tiny'")
        send(browser, "a")
        # What wants another key is left out.
        browser.click("#to-dashboard")
        browser.until("document.querySelectorAll('#charts svg').length === 5")


def test_conversations_are_exported(page: Browser) -> None:
    send(page, "the man")
    text = kept(page)[0]["messages"][1]["content"]
    page.run("""(() => {
        window.saved = [];
        URL.createObjectURL = (blob) => (window.saved.push(blob), "#");
    })()""")
    page.click("#conversations [aria-label='JSON: the man']")
    page.click("#conversations [aria-label='Markdown: the man']")
    as_json, as_markdown = page.run("Promise.all(window.saved.map(it => it.text()))")
    assert json.loads(as_json)["messages"][1]["content"] == text
    assert as_markdown == f"# the man\n\n## You\n\nthe man\n\n## tiny\n\n{text}\n"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1200, 360])
def test_it_can_be_read_by_everybody(served: str, tmp_path: Path, dark: bool, width: int) -> None:
    axe = (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
    with Browser(tmp_path / "profile", dark=dark) as page:
        page.size(width, 800)
        page.open(served)
        page.until("document.querySelector('#model').value")
        page.run("document.querySelector('#max_tokens').value = '8'")
        page.click("#parameters summary")
        send(page, "a\n\nb")
        page.run(axe)
        views = [("#chat", "true"), ("#dashboard", "document.querySelectorAll('#charts svg').length === 5")]
        for view, is_there in views:
            page.run(f"location.hash = {json.dumps(view)}")
            page.until(f"!document.querySelector('{view}').hidden && {is_there}")
            found = page.run("axe.run(document).then(({ violations }) => violations)")
            assert [(it["id"], [node["html"] for node in it["nodes"]]) for it in found] == [], view
        page.click("#to-key")
        assert page.run("axe.run(document.querySelector('dialog')).then(({ violations }) => violations.length)") == 0
