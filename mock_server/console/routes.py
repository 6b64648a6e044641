"""Which paths are those of the console, and who gets its pages. What renders them is imported late."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

from starlette.types import Receive, Scope

from mock_server.endpoint import OK, Check, Endpoint, response_of
from mock_server.openapi import address_of
from mock_server.problems import UnknownPath, header_list, problem
from mock_server.trace import Response, Trace

if TYPE_CHECKING:  # for those who have a browser
    from mock_server.console.rendering import Rendering

HOME = "/_mock/console/"
"""Where the files of the pages are, and each page whose path the API has itself."""
_HTML = "text/html"
Watcher = Callable[[Trace], object]


class Page(NamedTuple):
    """A page. Its template is `name`.html, its script `name`.js."""

    name: str
    path: str
    title: str


PAGES = (
    Page("overview", "/", "Overview"),
    Page("requests", "/requests", "Requests"),
    Page("try", "/try", "Try it"),
    Page("loads", "/loads", "Loads"),
    Page("faults", "/faults", "Faults and clock"),
    Page("contract", "/contract", "Contract"),
    Page("docs", "/docs", "Reference"),
)


class Content(NamedTuple):
    """What a browser gets: the body, and the headers that say how it may be used."""

    body: bytes
    headers: Mapping[str, str]


class _Others(Protocol):
    """What serves the paths of the console to those who want no page."""

    @property
    def watchers(self) -> Sequence[Watcher]: ...

    def find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]: ...


class Console:
    """The pages and their files. `check` is what a request for a page must pass; none needs a key.

    A path that the API has is the API's, and the page is under HOME instead.
    """

    def __init__(
        self,
        has_path: Callable[[str], bool],
        check: Check,
        make: "Callable[[Mapping[str, str]], Rendering]",
    ) -> None:
        """`make` is given the paths of the pages by their names."""
        self.paths = {page.name: HOME + page.name if has_path(page.path) else page.path for page in PAGES}
        self.api_port: int | None = None
        """The port of the API, where it is not that of the pages."""
        self._pages = {self.paths[page.name]: page for page in PAGES}
        self._check = check
        self._make = make

    @cached_property
    def rendering(self) -> "Rendering":
        """What makes the pages."""
        return self._make(self.paths)

    def find(self, path: str, others: _Others) -> "Shown | None":
        """What serves a GET of the path to browsers, and else as `others` do; None if it is none of ours."""
        if path in self._pages:
            return Shown(self, self._pages[path], path, others)
        if path.startswith(HOME):
            return Shown(self, None, path, others)
        return None

    def content(self, page: Page | None, path: str, scope: Scope) -> Content:
        """A page, or the file that has the path; ForeignRequest, UnknownPath."""
        self._check(scope)
        api = address_of(scope, self.api_port)
        if page is not None:
            return self.rendering.page(page, api)
        content = self.rendering.file(path.removeprefix(HOME), api)
        if content is None:
            raise UnknownPath("The console has no such file.")
        return content


class Shown:
    """One path of the console. Whoever wants no page there gets, and leaves behind, what others do."""

    operation = None
    checks = ()
    faults = None
    refuse = staticmethod(problem)

    def __init__(self, console: Console, page: Page | None, path: str, others: _Others) -> None:
        """Without a page, the path is that of a file."""
        self.watchers: Sequence[Watcher] = [] if page is None else [self._watch]
        self._console = console
        self._page = page
        self._path = path
        self._others = others

    def _watch(self, trace: Trace) -> None:
        if not wants_page(trace.scope):
            for watch in self._others.watchers:
                watch(trace)

    async def succeed(self, trace: Trace, receive: Receive) -> Response:
        """The page or the file; what is wrong is raised."""
        if self._page is not None and not wants_page(trace.scope):
            other, _ = self._others.find(trace.scope["method"], self._path)
            return await response_of(other, trace, receive)
        content = self._console.content(self._page, self._path, trace.scope)
        return Response(OK, header_list(content.headers), content.body)


def wants_page(scope: Scope) -> bool:
    """Whether who sends the request would rather have HTML than JSON; for `*/*` alone it is JSON."""
    accepted = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"accept"]
    weights = dict(_weighted(each) for each in ",".join(accepted).split(","))
    json = max((weight for name, weight in weights.items() if name.endswith("json")), default=0)
    return weights.get(_HTML, 0) > json


def _weighted(accepted: str) -> tuple[str, int]:
    """A media type that is accepted, and its weight in thousandths; 0 for what is none."""
    name, *parameters = [part.strip() for part in accepted.split(";")]
    given = next((each[2:] for each in parameters if each.startswith("q=")), "1")
    whole, _, part = given.partition(".")
    digits = whole + part.ljust(3, "0")[:3]
    return name, int(digits) if digits.isascii() and digits.isdecimal() else 0
