"""Makes the pages of the console of templates, and says how a browser may use them."""

from collections.abc import Callable, Mapping
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from swagger_ui_bundle import swagger_ui_path  # type: ignore[import-untyped]

from mock_server.console.contract import clauses, questions
from mock_server.console.routes import HOME, PAGES, Content, Page
from mock_server.documents import read_document
from mock_server.shipped import ADMIN

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
PRESETS = _HERE / "presets.yaml"
"""What Try it fills in, by the id of the rule or assumption that it shows."""
_HTML = "text/html; charset=utf-8"
_OF_A_REPORT = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data:; frame-ancestors 'self'"
)
"""It is whole in itself, and belongs to nobody: its scripts reach neither the API nor the console."""
_SWAGGER_UI = ("swagger-ui-bundle.js", "swagger-ui.css")


class Rendering:
    """The pages and files. `paths` are those of the pages, by name; `settings` how the sandbox was started.

    `document` gives the API's document for a base URL; `reports` are files of others that are shown, by name.
    """

    def __init__(
        self,
        paths: Mapping[str, str],
        settings: Mapping[str, Any],
        document: Callable[[str], bytes],
        reports: Mapping[str, Path],
    ) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            pages=PAGES,
            paths=paths,
            home=HOME,
            settings=settings,
            clauses=clauses(settings["revision"]),
            questions=questions(settings["revision"], settings["profile"]),
            presets=read_document(PRESETS),
            **_fault_fields(),
        )
        self._templates.filters["coded"] = _coded
        self._document = document
        self._reports = reports
        files = (*STATIC.iterdir(), *(swagger_ui_path / name for name in _SWAGGER_UI))
        self._files = {path.name: path for path in files}

    def page(self, page: Page, api: str) -> Content:
        """A page for a browser that reaches the API at a base URL."""
        text = self._templates.get_template(f"{page.name}.html").render(page=page, api=api)
        return Content(text.encode(), _headers(_HTML, _policy(page, api)))

    def file(self, name: str, api: str) -> Content | None:
        """A file that the pages load; None if there is none of that name."""
        if name == "openapi.json":
            return Content(self._document(api), _headers("application/json", "default-src 'none'"))
        if name in self._reports:
            report = self._reports[name]
            return Content(report.read_bytes(), _headers(_HTML, _OF_A_REPORT)) if report.is_file() else None
        path = self._files.get(name)
        if path is None:
            return None
        media_type = guess_type(name)[0] or "application/octet-stream"
        return Content(path.read_bytes(), _headers(f"{media_type}; charset=utf-8", "default-src 'none'"))


def _coded(text: str) -> Markup:
    """A text in which what stands between back-ticks is code."""
    parts = text.strip().split("`")
    codes = (
        Markup("<code>{}</code>").format(part) if i % 2 else escape(part) for i, part in enumerate(parts)
    )
    return Markup().join(codes)


def _fault_fields() -> dict[str, dict[str, Any]]:
    """The fields of a fault, as the document describes them: those that say when, and those that say what."""
    document: Any = read_document(ADMIN)
    schema = document["components"]["schemas"]["Fault"]
    names = [*schema["properties"]]
    effects = min(names.index(name) for each in schema["anyOf"] for name in each["required"])
    return {
        "fault_times": {name: schema["properties"][name] for name in names[:effects]},
        "fault_effects": {name: schema["properties"][name] for name in names[effects:]},
    }


def _policy(page: Page, api: str) -> str:
    """What a page may load: what the console has itself; and it may call the API."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            # Swagger UI's style sheet has pictures in it.
            "img-src 'self' data:" if page.name == "docs" else "img-src 'self'",
            f"connect-src 'self' {api}",
            "frame-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _headers(media_type: str, policy: str) -> Mapping[str, str]:
    return {
        "content-type": media_type,
        "content-security-policy": policy,
        "cache-control": "no-cache",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "vary": "accept",
        "x-content-type-options": "nosniff",
    }
