from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    *("cryptography", "jwt"),
    *(
        "dbos",
        "duckdb",
        "fastapi",
        "fastmcp",
        "ibis",
        "langchain_core",
        "langgraph",
        "networkx",
        "numpy",
        "openai",
    ),
    *(
        "pandas",
        "playwright",
        "pyarrow",
        "pydantic",
        "rich",
        "scipy",
        "sqlalchemy",
        "statsmodels",
        "vl_convert",
    ),
)
_HELP = """
import contextlib, io, sys
from gtm_orchestra.interfaces.cli import main
sys.argv = ["gtm", "--help"]
said = io.StringIO()
with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
    main()
assert "Usage" in said.getvalue(), said.getvalue()
"""


@pytest.mark.parametrize("code", ["import gtm_orchestra", "import gtm_orchestra.errors", _HELP])
def test_nothing_heavy_is_loaded_before_it_is_needed(code: str) -> None:
    report = f"\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code + report], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr, done.stdout.split()) == (0, "", [])
