"""`python -m mock_server` is `alvys-mock`."""

from mock_server.cli import main

main()
