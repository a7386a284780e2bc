"""Random plans of every shape with random faults, run over the real driver: what was covered, and what broke.

The generator and what must hold of each run stand in tests/runs/random_plans.py; the test suite does 200.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "tests" / "runs" / "random_plans.py"


def main() -> None:
    """Run the script with its own default of 10,000 plans, or with what the command line says."""
    sys.exit(subprocess.run([sys.executable, str(SCRIPT), *sys.argv[1:]], check=False).returncode)


if __name__ == "__main__":
    main()
