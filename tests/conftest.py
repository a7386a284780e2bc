"""What holds for every test: no connection to the outside, no keys, repeatable examples."""

from __future__ import annotations

import ipaddress
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile(
    "ci", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# What a developer's shell may hold and a test must not see: keys, tracing switches, database passwords.
_FOREIGN = ("OPENAI_", "ANTHROPIC_", "LANGSMITH_", "LANGCHAIN_", "GTM_", "PG")
for _name in [name for name in os.environ if name.startswith(_FOREIGN)]:
    del os.environ[_name]

_outside: list[str] = []


def _is_outside(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str) or host in {"", "localhost", socket.gethostname()}:
        return False
    try:
        address = ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        return True  # A name to resolve: the question itself would leave the machine.
    return not (address.is_loopback or address.is_unspecified)


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) and address else None
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        host = arguments[0]
    else:
        return
    if _is_outside(host):
        _outside.append(f"{event} {host!r}")
        raise ConnectionRefusedError(f"tests may connect to loopback only, not to {host!r}")


# An audit hook also sees what C code does through Python's sockets, and cannot be patched away by a library.
sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def no_connection_leaves_the_machine() -> Iterator[None]:
    """Fail a test that tried to connect outside loopback, even where the code swallowed the refusal."""
    _outside.clear()
    yield
    tried, _outside[:] = list(_outside), []
    assert not tried, f"the test tried to leave the machine: {', '.join(tried)}"


def _missing(what: str) -> None:
    message = f"{what} is not installed; run scripts/install-system-packages"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def _postgres_folder() -> Path:
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    for folder in [*reversed(candidates), Path("/opt/homebrew/bin"), Path("/usr/local/bin")]:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    found = shutil.which("initdb")
    if found is None:
        _missing("PostgreSQL")
    assert found is not None
    return Path(found).resolve().parent


@contextmanager
def _postgres(*authentication: str, password: str = "") -> Iterator[str]:
    """Give the URL of a PostgreSQL server, without a database name, for the length of the block.

    It listens on a Unix socket in a folder of its own; no TCP port, nothing durable.
    """
    programs = _postgres_folder()
    # A socket path may hold 107 bytes: pytest's own folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="gtm-pg-"))
    (folder / "password").write_text(password)
    user: str | None = None
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        user = "postgres" if any(entry.pw_name == "postgres" for entry in pwd.getpwall()) else "nobody"
        shutil.chown(folder, user)
        shutil.chown(folder / "password", user)

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, user=user, cwd=folder, timeout=120)

    data = folder / "data"
    run(
        *(str(programs / "initdb"), "-D", str(data), "-U", "gtm", *authentication),
        *("-E", "UTF8", "--no-sync"),
    )
    options = f"-c listen_addresses='' -k {folder} -c fsync=off -c max_connections=200"
    run(
        *(str(programs / "pg_ctl"), "-D", str(data), "-w", "-t", "60"),
        *("-l", str(folder / "log"), "-o", options, "start"),
    )
    try:
        yield f"postgresql://gtm@/{{database}}?host={folder}"
    finally:
        run(str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Give the URL of a PostgreSQL server that lets everybody in, without a database name."""
    with _postgres("-A", "trust") as url:
        yield url


@pytest.fixture
def guarded_postgres() -> Iterator[tuple[str, str]]:
    """Give the URL of an empty database on a server that asks for a password (SCRAM), and the password."""
    password = "the-right-one"  # noqa: S105 - of this test's own server
    with _postgres("-A", "scram-sha-256", "--pwfile", "password", password=password) as url:
        yield url.format(database="postgres"), password


@pytest.fixture
def postgres_url(postgres_server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the URL of an empty PostgreSQL database of this test's own."""
    import psycopg  # noqa: PLC0415  (an extra: only tests that need PostgreSQL load it)

    name = f"t{abs(hash(request.node.nodeid)):x}"[:40]
    administration = postgres_server.format(database="postgres")
    with psycopg.connect(administration, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    yield postgres_server.format(database=name)
    with psycopg.connect(administration, autocommit=True) as connection:
        connection.execute(f'drop database "{name}" with (force)')


@pytest.fixture(scope="session")
def chromium() -> str:
    """Give the path of a Chromium, Chrome or Edge of this machine."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return found
    _missing("a Chromium browser")
    raise AssertionError
