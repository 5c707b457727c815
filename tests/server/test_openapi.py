"""`/openapi.json`, against the routes that there are; and requests that `schemathesis` makes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
import trillm
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance
from trillm import _core

from .asking import Asker

ROUTES = _core.Server.routes()
KEYS = ("Authorization", "x-api-key", "api-key")


def plain(path: str) -> str:
    """A path as the document has it."""
    return path.replace("{*", "{")


@pytest.fixture(scope="module")
def document(ask: Asker) -> dict[str, Any]:
    """That of a server without keys."""
    answer = ask("/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    found: dict[str, Any] = answer.json
    return found


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """All of them by method and path."""
    return {(name.upper(), path): it for path, each in document["paths"].items() for name, it in each.items()}


def test_it_has_all_routes_and_no_others(document: dict[str, Any]) -> None:
    found = operations(document)
    assert set(found) == {(method, plain(path)) for method, path, _ in ROUTES}
    assert len(found) == len(ROUTES)
    assert [route for route, said in found.items() if not said.get("summary")] == []
    ids = Counter(said["operationId"] for said in found.values())
    assert set(ids.values()) == {1}


def test_it_is_a_document_of_its_version(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(document).validate()


def test_it_says_what_opens_each_route(document: dict[str, Any], serve: Callable[..., Asker]) -> None:
    keyed = serve(api_keys=["use"], admin_keys=["admin"])
    assert keyed("/openapi.json").status == 401
    guarded = keyed("/openapi.json", Authorization="Bearer use").json
    assert set(guarded["components"]["securitySchemes"]) == set(KEYS)
    free = operations(document)
    for method, path, scope in ROUTES:
        said = operations(guarded)[method, plain(path)]["security"]
        assert said == ([] if scope == "open" else [{name: [scope]} for name in KEYS])
        # Without keys nothing has to be opened.
        assert free[method, plain(path)]["security"] == (said and [{}, *said])


def test_bodies_are_what_the_routes_read(document: dict[str, Any]) -> None:
    found = operations(document)
    with_bodies = {path for (_, path), said in found.items() if "requestBody" in said}
    without = {"/models/{*path}", "/stop"}
    assert with_bodies == {path for method, path, _ in ROUTES if method in ("POST", "DELETE")} - without
    schema = {path: found["POST", path]["requestBody"]["content"]["application/json"]["schema"] for path in SCHEMAS}
    assert schema["/detokenize"]["required"] == ["tokens"]
    assert schema["/detokenize"]["properties"]["tokens"]["items"]["minimum"] == 0
    # Fields of both halves of a request.
    first, second = schema["/v1/chat/completions"]["allOf"]
    assert first["required"] == ["model", "messages"]
    assert {"stream", "n"} <= set(first["properties"])
    assert {"temperature", "stop"} <= set(second["properties"])
    formats = schema["/v1/embeddings"]["properties"]["encoding_format"]
    assert ["float", "base64"] in [each.get("enum") for each in formats["oneOf"]]


SCHEMAS = ("/detokenize", "/v1/chat/completions", "/v1/embeddings")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", {}, 400),
        ("/generate", {}, 400),
        ("/api/chat", {}, 400),
        ("/v1/messages", {}, 400),
        ("/v1/embeddings", {"model": "nothing", "input": "x"}, 404),
    ],
)
def test_refusals_are_in_the_form_that_it_says(
    ask: Asker, document: dict[str, Any], path: str, body: Any, status: int
) -> None:
    answer = ask(path, body)
    assert answer.status == status
    said = document["paths"][path]["post"]["responses"]["default"]["content"]["application/json"]["schema"]
    schema = document["components"]["schemas"][said["$ref"].rpartition("/")[2]]
    assert set(answer.json) == set(schema["required"]) == set(schema["properties"])
    if schema["properties"]["error"].get("type") == "object":
        assert set(answer.json["error"]) == set(schema["properties"]["error"]["required"])


def test_slashes_in_a_path_may_be_escaped(ask: Asker) -> None:
    assert ask("/models/tiny%2Fload", {}).json["model"] == "tiny"


ASKED = [route for route in ROUTES if route[1] != "/stop"]


@pytest.mark.parametrize("route", ASKED, ids=[f"{method} {path}" for method, path, _ in ASKED])
def test_nothing_that_it_allows_or_forbids_is_an_error_of_the_servers(
    document: dict[str, Any], server: trillm.Server, route: tuple[str, str, str]
) -> None:
    """The model is one that is there: of others a request comes to nothing."""
    method, path, _ = route
    operation = schemathesis.openapi.from_dict(document)[plain(path)][method]
    cases = operation.as_strategy()
    if operation.body:
        cases |= operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    checks: Any = [not_a_server_error, content_type_conformance, response_schema_conformance]

    @settings(max_examples=20, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def send(case: schemathesis.Case[Any]) -> None:
        if isinstance(case.body, dict) and isinstance(case.body.get("model"), str):
            case.body["model"] = "tiny"
        case.validate_response(case.call(base_url=server.url, timeout=30), checks=checks)

    send()
