"""The mock inside a test: a real server in a thread, on a free port."""

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from mock_server.app import DEFAULT_MAX_BODY, create_app
from mock_server.ledger import MemoryLedger
from mock_server.opening import opening_loads
from mock_server.serving import Server, listen, url_of
from mock_server.shipped import FIXTURES, SPEC
from mock_server.spec import Spec


class MockServer:
    """A context manager that serves the mock on 127.0.0.1.

        with MockServer() as mock:
            httpx2.get(f"{mock.url}/api/p/v1.0/loads?loadNumber=LD-1001")

    `fixtures` and `spec` are files, as on the command line. Raises what `alvys-mock` refuses to
    start with: SpecError, FixtureError, UnreadableDocument.
    """

    def __init__(
        self, fixtures: Sequence[Path] = (FIXTURES,), spec: Path = SPEC, max_body: int = DEFAULT_MAX_BODY
    ) -> None:
        read = Spec.read(spec)
        app = create_app(read, MemoryLedger(opening_loads(read, fixtures)), max_body)
        self._answers = threading.Event()
        self._server = Server(app, on_start=self._answers.set)

    def __enter__(self) -> Self:
        self._listener = listen("127.0.0.1", 0)
        self.url = url_of(self._listener)
        """The base URL, for example `http://127.0.0.1:40123`."""
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), daemon=True)
        self._thread.start()
        self._answers.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()
