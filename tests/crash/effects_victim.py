"""Deploys to a server on loopback; started twice at a time and killed by `effects_kills.py`."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import sys
import time
import uuid
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runs"))
import shop  # type: ignore[import-not-found]  # beside the tests of runs

from gtm_orchestra.errors import BusyError, EffectError
from gtm_orchestra.plans.effects import EffectRequest, Receipt

if TYPE_CHECKING:
    from gtm_orchestra.agents.registry import EffectContext
    from gtm_orchestra.plans.model import EffectClass

TARGETS = tuple(f"shelf-{number}" for number in range(1, 13))
_TIMEOUT_S = 20
_LOOK_EVERY_S = 0.01


class Server:
    """The target: a request per call, answers that may never come.

    Without `keys` each process makes up its own, as a client without idempotency does.
    """

    effect_class: EffectClass = "keyed"

    def __init__(self, port: int, trial: str, *, keys: bool, marks: int | None = None) -> None:
        self._marks = marks
        self._port = port
        self._trial = trial
        self._keys = keys
        self._own: dict[str, str] = {}

    def __call__(self, _context: EffectContext) -> Server:
        return self

    def apply(self, request: EffectRequest, key: str) -> None:
        self._call("POST", request, key)

    def read_back(self, request: EffectRequest, key: str) -> Receipt | None:
        found = self._call("GET", request, key)
        return Receipt(content=found["content"], reference=request.target) if found["there"] else None

    def undo(self, request: EffectRequest, receipt: Receipt | None, key: str) -> None:
        _ = receipt
        self._call("DELETE", request, key)

    def _call(self, method: str, request: EffectRequest, key: str) -> dict[str, Any]:
        if not self._keys:
            key = self._own.setdefault(request.target, uuid.uuid4().hex)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_S)
        try:
            body = json.dumps(request.content) if method == "POST" else None
            connection.request(method, f"/{self._trial}/{request.target}", body, {"Idempotency-Key": key})
            if method == "POST" and self._marks is not None:
                os.write(self._marks, f"- effect sent {request.target}\n".encode())
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != http.HTTPStatus.OK:
                raise EffectError(f"the server answered {answer.status}")
            document: dict[str, Any] = json.loads(said)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise EffectError(f"no answer that can be read: {type(error).__name__}") from error
        finally:
            connection.close()
        return document


def opened(workspace: str, port: int, trial: str, *, keys: bool, marks: int | None = None) -> Any:  # noqa: ANN401 - a Shop
    """Return the shop of a workspace, writing a line per event to a file: it tells where a kill landed."""

    def mark(node: str, event: str, detail: str) -> None:
        if marks is not None:
            os.write(marks, f"{node} {event} {detail}\n".encode())

    server = Server(port, trial, keys=keys, marks=marks)
    return shop.Shop(
        Path(workspace),
        targets=TARGETS,
        retries=10,
        shelf=server,
        progress=mark,
    )


def deploy(workspace: str, marks_file: str, port: int, trial: str, *, keys: bool) -> None:
    """Drive the run to its end; while another process drives it, wait for the lock by asking again."""
    warnings.simplefilter("ignore")
    marks = os.open(marks_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    space = opened(workspace, port, trial, keys=keys, marks=marks)
    os.write(marks, b"- ready -\n")
    while True:
        with contextlib.suppress(BusyError):
            segment = space.drive(trial, resumed=True)
            break
        time.sleep(_LOOK_EVERY_S)
    os.write(marks, f"- ended {segment.status}\n".encode())
