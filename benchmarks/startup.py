"""CPU seconds to start: `gtm --help` and `import gtm_orchestra`, beside bare Python and a bare click command.

Each run is a process of its own, the kinds taking turns, so that a busy machine slows all of them alike. The
least of all rounds is what the code costs when nothing disturbs it. CPU is the child's user plus system time.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

_CLICK = """
import click
@click.group()
def app(): pass
@app.command()
def one(): pass
app()
"""
GOALS = {"gtm --help": 0.120, "import gtm_orchestra": 0.200}


def cpu_seconds(command: list[str], folder: str) -> float:
    """Return user plus system time of one run of a command."""
    # A user's Python keeps its byte code, whatever this shell says.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, env=environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure, and print one line per kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    kinds = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "bare click --help": [sys.executable, "-c", _CLICK, "--help"],
        "import gtm_orchestra": [sys.executable, "-c", "import gtm_orchestra"],
        "gtm --help": [str(Path(sys.executable).with_name("gtm")), "--help"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    with tempfile.TemporaryDirectory() as folder:
        for command in kinds.values():
            cpu_seconds(command, folder)  # fills the byte-code and file caches
        for _ in range(rounds):
            for name, command in kinds.items():
                seconds[name].append(cpu_seconds(command, folder))
    bare, click = min(seconds["python -c pass"]), min(seconds["bare click --help"])
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, {rounds} rounds; CPU in milliseconds")
    print(f"{'':22}{'least':>8}{'median':>8}{'/ python':>10}{'/ click':>9}{'goal':>7}")
    for name, values in seconds.items():
        goal = f"{GOALS[name] * 1000:.0f}" if name in GOALS else ""
        print(
            f"{name:22}{min(values) * 1000:8.0f}{statistics.median(values) * 1000:8.0f}"
            f"{min(values) / bare:10.2f}{min(values) / click:9.2f}{goal:>7}"
        )


if __name__ == "__main__":
    main()
