"""A page of the documentation as tests read it: its blocks, tables, links and anchors."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
FILES = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
    *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))),
)
"""Every page, by its path from the root."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: what it is written in, the heading that it is under, and the paragraph before it."""

    language: str
    text: str
    heading: str
    intro: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its cells are Markdown."""

    heading: str
    header: list[str]
    rows: list[list[str]]


class Page:
    """One page, by its path from the root."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = (ROOT / name).read_text("utf-8")
        self._tokens = MarkdownIt("commonmark").enable("table").parse(self.text)

    @cached_property
    def blocks(self) -> list[Block]:
        """The fenced blocks, in order."""
        blocks: list[Block] = []
        intro = ""
        for heading, before, token in self._walk():
            if before == "paragraph_open":
                intro = " ".join(token.content.split())
            elif token.type == "fence":
                blocks.append(Block(token.info, token.content, heading, intro))
        return blocks

    def blocks_in(self, language: str) -> list[Block]:
        """The fenced blocks in one language."""
        return [block for block in self.blocks if block.language == language]

    @cached_property
    def tables(self) -> list[Table]:
        """The tables, in order."""
        tables: list[Table] = []
        rows: list[list[str]] = []
        for heading, before, token in self._walk():
            if token.type == "table_open":
                rows = []
            elif token.type == "tr_open":
                rows.append([])
            elif before in {"th_open", "td_open"}:
                rows[-1].append(token.content.replace("\\|", "|"))
            elif token.type == "table_close":
                tables.append(Table(heading, rows[0], rows[1:]))
        return tables

    def table(self, heading: str) -> Table:
        """The only table under a heading."""
        (table,) = (table for table in self.tables if table.heading == heading)
        return table

    @cached_property
    def links(self) -> list[str]:
        """Where links and pictures lead."""
        children = [child for token in self._tokens for child in token.children or ()]
        return [str(each.attrs[name]) for each in children for name in ("href", "src") if name in each.attrs]

    @cached_property
    def anchors(self) -> set[str]:
        """What a link to a heading of this page ends with."""
        headings = [
            self._tokens[at + 1].content for at, t in enumerate(self._tokens) if t.type == "heading_open"
        ]
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    @property
    def words(self) -> str:
        """The whole text, without line breaks."""
        return " ".join(self.text.split())

    def _walk(self) -> Iterator[tuple[str, str, Token]]:
        """Each token, with the heading that it is under and the type of the token before it."""
        heading, before = "", ""
        for token in self._tokens:
            if before == "heading_open":
                heading = token.content
            yield heading, before, token
            before = token.type


@cache
def page(name: str) -> Page:
    """A page, read once for all tests."""
    return Page(name)


def plain(cell: str) -> str:
    """A cell without the marks that only change how it looks."""
    return re.sub(r"[`*“”]", "", cell).strip()


def differences(where: Page, heading: str, expected: Sequence[Sequence[str | None]]) -> list[str]:
    """What must change in a table for it to say what is expected; None stands for any text but none.

    The first cell names a row.
    """
    rows = {plain(row[0]): [plain(cell) for cell in row] for row in where.table(heading).rows}
    table = f"{where.name}, the table under “{heading}”"
    found = []
    for wanted in expected:
        key = plain(str(wanted[0]))
        row = rows.pop(key, None)
        if row is None:
            found.append(f"{table} lacks a row: {_line(wanted)}")
        elif not all(
            bool(cell) if want is None else cell == plain(want)
            for cell, want in zip(row, wanted, strict=True)
        ):
            found.append(f"{table}: row {key} says {_line(row)} and must say {_line(wanted)}")
    found += [f"{table} has a row for {key}, which there is not" for key in rows]
    return found


def _line(cells: Sequence[str | None]) -> str:
    return "| " + " | ".join("(any text)" if cell is None else cell for cell in cells) + " |"
