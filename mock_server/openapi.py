"""The document of the API as it is served: /openapi.json and /openapi.yaml."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any

import yaml
from starlette.types import Scope

from mock_server.decimal_json import encode
from mock_server.endpoint import OK, Endpoint, NoOperation
from mock_server.problems import MethodNotAllowed, header_list, problem
from mock_server.spec import Spec
from mock_server.trace import Response, Trace

JSON, YAML = "/openapi.json", "/openapi.yaml"
_HOST = re.compile(rb"(?:\[[0-9a-f:.]+\]|[a-z0-9._-]{1,253})(?::[0-9]{1,5})?", re.IGNORECASE)
_PORT = re.compile(rb":[0-9]+\Z")
_HERE = "http://this-server.invalid"
"""Stands in the text for the address of the server, which each request names."""
_TOKENS = "issueToken"


class DocumentRoutes:
    """Serves the document, under the paths that the API does not have itself: `has_path` says which it has.

    It names this server as the only one, under the name that the request has for it, also for tokens.
    """

    faults = None

    def __init__(self, spec: Spec, has_path: Callable[[str], bool]) -> None:
        self.watchers: list[Callable[[Trace], object]] = []
        self._spec = spec
        made = {
            JSON: _Written(lambda: encode(self._here), "application/json"),
            YAML: _Written(lambda: _yaml_of(self._here), "application/yaml"),
        }
        self._json = made[JSON]
        self.paths: Mapping[str, Endpoint] = {path: each for path, each in made.items() if not has_path(path)}
        self._no_method = NoOperation(lambda trace: MethodNotAllowed(trace.scope["method"], ["GET"]))

    def find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        """The endpoint of a request for one of the `paths`."""
        return self.paths[path] if method == "GET" else self._no_method, {}

    def json_at(self, address: str) -> bytes:
        """The document as JSON, for who reaches the API at this base URL."""
        return self._json.text_at(address)

    @cached_property
    def _here(self) -> Mapping[str, Any]:
        """The document, in which this server is _HERE."""
        document = self._spec.published
        served = (*self._spec.operations, *self._spec.ours.operations)
        tokens = next((each.path for each in served if each.id == _TOKENS), None)
        components = document.get("components", {})
        if tokens is not None and "securitySchemes" in components:
            schemes = {
                name: _issued_at(_HERE + tokens, scheme)
                for name, scheme in components["securitySchemes"].items()
            }
            components = {**components, "securitySchemes": schemes}
        servers = [{"url": _HERE, "description": "this sandbox"}]
        return {**document, "servers": servers, "components": components}


class _Written:
    """The document in one form, written when it is asked for first."""

    operation = None
    checks = ()
    refuse = staticmethod(problem)

    def __init__(self, write: Callable[[], bytes], media_type: str) -> None:
        self._write = write
        self._headers = header_list({"content-type": media_type})

    @cached_property
    def _text(self) -> bytes:
        return self._write()

    async def succeed(self, trace: Trace, _receive: object) -> Response:
        """The document, for who sent the request."""
        return Response(OK, self._headers, self.text_at(address_of(trace.scope)))

    def text_at(self, address: str) -> bytes:
        """The document, for who reaches the API at this base URL."""
        return self._text.replace(_HERE.encode(), address.encode())


def _issued_at(token_url: str, scheme: Mapping[str, Any]) -> Mapping[str, Any]:
    """The security scheme, whose tokens come from there."""
    flows = scheme.get("flows", {})
    if "clientCredentials" not in flows:
        return scheme
    return {
        **scheme,
        "flows": {**flows, "clientCredentials": {**flows["clientCredentials"], "tokenUrl": token_url}},
    }


def address_of(scope: Scope, port: int | None = None) -> str:
    """The base URL of this server: as the request names it, if that is a name, else by its address.

    Behind a proxy that ends https, X-Forwarded-Proto says so; who makes it up fools nobody else.
    `port` is another of its ports than the one that the request reached.
    """
    headers = dict(scope["headers"])
    host = headers.get(b"host", b"")
    if not _HOST.fullmatch(host):
        address, reached = scope["server"]
        host = (f"[{address}]:{reached}" if ":" in address else f"{address}:{reached}").encode()
    if port is not None:
        host = b"%b:%d" % (_PORT.sub(b"", host), port)
    scheme = "https" if headers.get(b"x-forwarded-proto") == b"https" else scope["scheme"]
    return f"{scheme}://{host.decode('ascii')}{scope.get('root_path', '')}"


class _YamlDumper(yaml.CSafeDumper):
    """YAML without anchors, decimals as they are written."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


_YamlDumper.add_representer(
    Decimal, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:float", str(value))
)


def _yaml_of(document: object) -> bytes:
    text: str = yaml.dump(document, Dumper=_YamlDumper, sort_keys=False, allow_unicode=True, width=110)
    return text.encode()
