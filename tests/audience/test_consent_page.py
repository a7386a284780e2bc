from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from gtm_orchestra.audience.consent_page import exercise_consent_page
from gtm_orchestra.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACCEPT = "<button onclick=\"localStorage.consent='yes'\">Accept</button>"
DECLINE = "<button onclick=\"localStorage.consent='no'\">Decline</button>"
BROKEN = '<button onclick="0">Decline</button>'
HIDDEN = (
    f"<button onclick=\"document.getElementById('more').hidden=false\">Manage choices</button>"
    f"<div id=more hidden>{DECLINE}</div>"
)


@pytest.fixture
def asked() -> list[str]:
    """Give the hosts that were asked for, in order."""
    return []


@pytest.fixture
def serve(asked: list[str]) -> Iterator[Callable[[str], str]]:
    servers = []

    def start(body: str) -> str:
        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(str(self.headers["Host"]))
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(f"<!doctype html><title>Consent</title>{body}".encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in http.server
                del format, args

        server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/consent"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.usefixtures("chromium")
@pytest.mark.parametrize(
    ("body", "severity", "words"),
    [
        (ACCEPT + DECLINE, "info", "remembers opting in and opting out when it is loaded again"),
        (ACCEPT + HIDDEN, "info", "remembers opting in and opting out when it is loaded again"),
        (ACCEPT + BROKEN, "blocker", "still shows a yes after opting out and loading it again"),
        (ACCEPT, "blocker", "takes a yes but shows no way to take it back that was recognised"),
        ("<button>Accept</button>" + BROKEN, "warning", "forgets a yes when it is loaded again"),
        ("<p>Nothing to press", "warning", "shows no way to opt in that was recognised"),
    ],
)
def test_the_page_is_judged_by_what_it_remembers(
    serve: Callable[[str], str], body: str, severity: str, words: str
) -> None:
    kept: dict[str, str] = {}

    def put_file(name: str, media_type: str, content: bytes) -> str:
        assert (media_type, content[:4]) == ("image/png", b"\x89PNG")
        kept[name] = hashlib.sha256(content).hexdigest()
        return kept[name]

    url = serve(body)
    (finding,) = exercise_consent_page(url, put_file)
    assert (finding.severity, finding.message) == (severity, f"The consent page {url} {words}.")
    assert {value for name, value in finding.evidence.items() if name.startswith("screenshot")} == set(
        kept.values()
    )


@pytest.mark.usefixtures("chromium")
def test_a_page_that_does_not_answer_is_a_warning() -> None:
    (finding,) = exercise_consent_page("http://127.0.0.1:9/consent", lambda *_: "")
    assert finding.message == "The consent page http://127.0.0.1:9/consent does not answer in the browser."


@pytest.mark.usefixtures("chromium")
def test_nothing_is_loaded_from_another_host(serve: Callable[[str], str], asked: list[str]) -> None:
    elsewhere = serve("").replace("127.0.0.1", "localhost")
    (finding,) = exercise_consent_page(
        serve(f"<script src='{elsewhere}'></script>{ACCEPT}{DECLINE}"), lambda *_: ""
    )
    assert finding.severity == "info"
    assert {host.split(":")[0] for host in asked} == {"127.0.0.1"}


@pytest.mark.parametrize("url", ["file:///etc/passwd", "consent.html", "javascript:alert(1)"])
def test_only_web_addresses_are_opened(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        exercise_consent_page(url, lambda *_: "")
    assert str(caught.value) == f"consent.page is {url!r}, which is no web address; write one with https://"
