"""The server under the app: how bytes leave it."""

import logging
import socket
import struct
import sys

import httpx2
import pytest

from mock_server.testing import MockServer
from tests.mock.api import LOADS, Api, json_of

READ = b"GET /api/p/v1.0/loads?loadNumber=LD-1001 HTTP/1.1\r\nHost: mock\r\n\r\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how many packets came")
def test_head_and_body_of_an_response_are_one_packet(api: Api) -> None:
    with api.connection() as connection:
        for count in range(1, 20):
            connection.sendall(READ)
            response = connection.recv(65536)
            while not response.endswith(b"}"):
                response += connection.recv(65536)
            information = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
            (packets_with_data,) = struct.unpack_from("I", information, 152)
            assert packets_with_data == count


@pytest.mark.parametrize("count", [1, 250, 5000])
def test_response_of_any_size_arrives_whole(count: int) -> None:
    payments = [
        {
            "PaymentDate": "2026-07-01T00:00:00Z",
            "ReferenceNumber": f"R-{n}",
            "Amount": {"Amount": 1, "Currency": 840},
        }
        for n in range(count)
    ]
    with MockServer() as mock, httpx2.Client(base_url=mock.url) as client:
        mock.add_load("LD-7", payments=payments)
        for _ in range(3):
            response = client.get(LOADS, params={"loadNumber": "LD-7"})
            assert json_of(response.text) == mock.load("LD-7")


def test_client_that_sends_no_more_gets_its_response(api: Api) -> None:
    for _ in range(20):
        with api.connection() as connection:
            connection.sendall(READ)
            connection.shutdown(socket.SHUT_WR)
            assert b"".join(iter(lambda: connection.recv(65536), b"")).endswith(b"}")


def test_client_that_leaves_during_its_response_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    with MockServer() as mock, caplog.at_level(logging.WARNING):
        port = int(mock.url.rpartition(":")[2])
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                # Closes with a reset, at once.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.sendall(READ * 50)
                connection.recv(1)
        assert mock.load("LD-1001")["Status"] == "Invoiced"
    assert not caplog.records
