from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    import pytest

pytest_plugins = ["pytester"]


def test_a_connection_to_the_outside_is_refused_and_fails_the_test(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile("""
        import contextlib, pytest, socket

        @pytest.mark.parametrize(("family", "host"), [("AF_INET", "192.0.2.1"), ("AF_INET6", "2001:db8::1")])
        def test_swallows(family, host):
            with contextlib.suppress(OSError), socket.socket(getattr(socket, family)) as s:
                s.connect((host, 9))

        def test_resolves():
            with pytest.raises(OSError) as caught:
                socket.getaddrinfo("example.com", 80)
            assert str(caught.value) == "tests may connect to loopback only, not to 'example.com'"
    """)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:randomly")
    result.assert_outcomes(passed=3, errors=3)
    for tried in (
        "socket.connect '192.0.2.1'",
        "socket.connect '2001:db8::1'",
        "socket.getaddrinfo 'example.com'",
    ):
        result.stdout.fnmatch_lines([f"*the test tried to leave the machine: {tried}*"])


def test_loopback_stays_open() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername() == server.getsockname()


def test_a_postgres_database_is_empty_and_the_tests_own(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("create table people (id int)")
        tables = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    assert tables == [("people",)]
