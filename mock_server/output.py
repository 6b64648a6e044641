"""What the server prints, on its way to a reader who may be slow, absent or gone."""

import io
import threading
import time
from typing import TextIO

MOST_WAITING = 1024 * 1024
"""Characters that wait for a reader."""
_PAUSE_MILLISECONDS = 10
"""Between two writes: what is said meanwhile is written at once, in one system call."""


class Output(io.TextIOBase):
    """A text stream that never blocks and never fails.

    A thread writes what is said. Lines that come while MOST_WAITING characters wait, or that can't be
    written, are dropped; how many is said as soon as something can be written again. What the encoding of
    the stream lacks is escaped.
    """

    dropped: int
    """Lines that were dropped, which was not said yet."""

    def __init__(self, stream: TextIO | None) -> None:
        """`stream` needs a file descriptor; None, as Python has it for one that is closed, for none."""
        self._waiting: list[str] = []
        self._size = 0
        self.dropped = 0
        self._lock = threading.Lock()
        self._said = threading.Event()
        self._over = threading.Event()
        self._last = ""
        self._terminal = stream is not None and stream.isatty()
        self._thread: threading.Thread | None = None
        if stream is not None:
            # A buffer would have a lock, which a thread that is stuck holds when the process ends.
            file = io.FileIO(stream.fileno(), "w", closefd=False)
            self._thread = threading.Thread(target=self._run, args=(file, stream.encoding), daemon=True)
            self._thread.start()

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._terminal

    def write(self, text: str) -> int:
        """Says a text of whole lines."""
        with self._lock:
            if self._size + len(text) > MOST_WAITING:
                self.dropped += text.count("\n")
            elif self._thread is not None:
                self._waiting.append(text)
                self._size += len(text)
        if not self._said.is_set():
            self._said.set()
        return len(text)

    def finish(self, last: str = "", seconds: int = 1) -> None:
        """Says the last line, whatever was dropped; waits for a reader, but not longer than this."""
        self._last = last
        self._over.set()
        self._said.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, file: io.FileIO, encoding: str) -> None:
        last = False
        while not last:
            self._said.wait()
            self._said.clear()
            last = self._over.is_set()
            with self._lock:
                texts, self._waiting, self._size = self._waiting, [], 0
                dropped, self.dropped = self.dropped, 0
            said = "".join(texts)
            note = f"(Lines that were dropped here: {dropped})\n" if dropped else ""
            try:
                self._send(
                    file, (said + note + (self._last if last else "")).encode(encoding, "backslashreplace")
                )
            except OSError:  # the reader is gone, or the disk is full
                with self._lock:
                    self.dropped += dropped + said.count("\n")
            self._over.wait(_PAUSE_MILLISECONDS / 1000)

    def _send(self, file: io.FileIO, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = file.write(rest)
            if written is None:  # another process made it non-blocking, and it is full
                time.sleep(_PAUSE_MILLISECONDS / 1000)
            rest = rest[written or 0 :]
