"""The least that a server can do: reads the body, returns bytes from a file. For comparison.

uvicorn, with nothing around the function.

python -m benchmarks.bare PORT FILE
"""

import sys
from pathlib import Path

import uvicorn
from starlette.types import Receive, Scope, Send

PORT, RESPONSE = int(sys.argv[1]), Path(sys.argv[2]).read_bytes()
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(RESPONSE)).encode())]


async def app(_scope: Scope, receive: Receive, send: Send) -> None:
    """Responds to every request with the same bytes."""
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": RESPONSE})


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=PORT,
        http="httptools",
        loop="uvloop",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
