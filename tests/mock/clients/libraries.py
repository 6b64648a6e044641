"""One way to post over each HTTP library, with its own pool and its own defaults."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import aiohttp
import httpx2
import requests
import urllib3

HEADERS = {"Content-Type": "application/json-patch+json"}


class ResponseLost(Exception):
    """The connection ended before there was an response; whether the request had an effect is open."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back: `headers` find a name in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Post = Callable[[str, bytes], Response]
"""Posts a body to a URL, over one pool of connections; ResponseLost."""


@contextmanager
def over_httpx2() -> Iterator[Post]:
    with httpx2.Client() as client:

        def post(url: str, body: bytes) -> Response:
            try:
                response = client.post(url, content=body, headers=HEADERS)
            except (httpx2.NetworkError, httpx2.RemoteProtocolError) as error:
                raise ResponseLost from error
            return Response(response.status_code, response.headers, response.content)

        yield post


@contextmanager
def over_requests() -> Iterator[Post]:
    with requests.Session() as session:

        def post(url: str, body: bytes) -> Response:
            try:
                response = session.post(url, data=body, headers=HEADERS, timeout=10)
            except requests.ConnectionError as error:
                raise ResponseLost from error
            return Response(response.status_code, response.headers, response.content)

        yield post


@contextmanager
def over_urllib3() -> Iterator[Post]:
    with urllib3.PoolManager() as pool:

        def post(url: str, body: bytes) -> Response:
            try:
                response = pool.request("POST", url, body=body, headers=HEADERS)
            except urllib3.exceptions.ProtocolError as error:
                raise ResponseLost from error
            return Response(response.status, response.headers, response.data)

        yield post


@contextmanager
def over_aiohttp() -> Iterator[Post]:
    async def opened() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()  # which belongs to the loop that it is made in

    with asyncio.Runner() as loop:
        session = loop.run(opened())

        async def send(url: str, body: bytes) -> Response:
            try:
                async with session.post(url, data=body, headers=HEADERS) as response:
                    return Response(response.status, response.headers, await response.read())
            except aiohttp.ClientConnectionError as error:
                raise ResponseLost from error

        try:
            yield lambda url, body: loop.run(send(url, body))
        finally:
            loop.run(session.close())


LIBRARIES: Mapping[str, Callable[[], AbstractContextManager[Post]]] = {
    "httpx2": over_httpx2,
    "requests": over_requests,
    "urllib3": over_urllib3,
    "aiohttp": over_aiohttp,
}
