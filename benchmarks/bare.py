"""The least that an app can do: reads the body, returns bytes from a file. For comparison.

It runs on the mock's own server, so that what is compared is the apps and nothing else.

python -m benchmarks.bare PORT FILE
"""

import sys
from pathlib import Path

from starlette.types import Receive, Scope, Send

from mock_server.serving import Server, listen

PORT, ANSWER = int(sys.argv[1]), Path(sys.argv[2]).read_bytes()
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]


async def app(_scope: Scope, receive: Receive, send: Send) -> None:
    """Answers every request with the same bytes."""
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


if __name__ == "__main__":
    Server(app).run([listen("127.0.0.1", PORT)])
