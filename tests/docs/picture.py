"""`python -m tests.docs.picture` draws the picture of the start that the README shows."""

import re
from io import StringIO

from rich.console import Console
from rich.text import Text

from tests.docs.page import ROOT
from tests.mock.command import serving

FILE = ROOT / "docs" / "start.svg"
COMMAND = "make serve"
PORT = 8080
"""What the picture shows, whatever port was free when it was drawn."""


def start_up_text() -> str:
    """What alvys-mock prints at its start, as if it served on PORT."""
    with serving("--port", "0") as mock:
        port = mock.url.rpartition(":")[2]
        return mock.greeting.rstrip().replace(f":{port}", f":{PORT}")


def draw(text: str) -> str:
    """The picture of a terminal with the text, as SVG."""
    console = Console(record=True, width=104, file=StringIO())
    console.print(Text.assemble(("$ ", "dim"), (COMMAND, "bold")))
    console.print(Text(text))
    svg = console.export_svg(title="", unique_id="start")
    # The fonts would come from somewhere else; a reader's own monospaced font does.
    return re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    FILE.write_text(draw(start_up_text()), "utf-8")
