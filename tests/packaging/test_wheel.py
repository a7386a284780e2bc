"""The wheel that is built from the sdist, installed beside a package that owns the import name `agents`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.wheel

ROOT = Path(__file__).resolve().parents[2]
# Its import name is `agents`: a folder of ours that reached the top of site-packages would overwrite it.
NEIGHBOUR = "openai-agents==0.24.0"
CONTENT = ("agents", "graphs", "plans", "prompts")


def run(*command: str | Path, cwd: Path, **environ: str) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=cwd, env={**clean, **environ}, timeout=900
    )
    assert done.returncode == 0, (
        f"{command[:6]} exit {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    )
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    source = tmp_path_factory.mktemp("source") / "checkout"
    # A copy, so that nothing of this checkout's state (caches, an older build) can slip in.
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".venv", ".git", "demo", ".*_cache", "__pycache__")
    )
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source, cwd=out)
    [built] = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a virtual environment that holds the wheel and its neighbour, and nothing of this checkout."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=True)
    pins = tmp_path_factory.mktemp("pins") / "constraints.txt"
    pinned = re.findall(
        r"^([a-z0-9][\w.-]*==[^ \\]+)", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE
    )
    # Without hashes: the neighbour's own dependencies are not pinned here.
    pins.write_text("\n".join(pinned) + "\n", encoding="utf-8")
    pip = (folder / "bin" / "python", "-m", "pip", "install", "-qq", "--disable-pip-version-check")
    run(*pip, "--constraint", pins, wheel, NEIGHBOUR, cwd=folder)
    return folder


def ask(installed: Path, code: str) -> str:
    return run(installed / "bin" / "python", "-c", code, cwd=installed).strip()


def test_the_wheel_holds_package_and_content_alone(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"gtm_orchestra", "gtm_orchestra-0.1.0.dist-info"}
    for folder in CONTENT:
        ours = {
            path.relative_to(ROOT / folder).as_posix()
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        prefix = f"gtm_orchestra/content/{folder}/"
        assert {name.removeprefix(prefix) for name in names if name.startswith(prefix)} == ours
    assert [name for name in names if name.endswith("content/__init__.py")] == []
    assert "gtm_orchestra/py.typed" in names


def test_the_neighbours_import_name_stays_its_own(installed: Path) -> None:
    [owner] = json.loads(
        ask(
            installed,
            "import agents, gtm_orchestra, json\n"
            "from importlib.metadata import packages_distributions\n"
            "assert agents.Runner.__module__.startswith('agents.')\n"
            "print(json.dumps(packages_distributions()['agents']))",
        )
    )
    assert owner == "openai-agents"


def test_nothing_of_the_checkout_is_left_in_the_environment(installed: Path) -> None:
    assert str(ROOT) not in ask(installed, "import sys; print(sys.path)")
    [site] = (installed / "lib").glob("python*/site-packages")
    assert sorted(path.name for path in site.glob("*gtm_orchestra*")) == [
        "gtm_orchestra",
        "gtm_orchestra-0.1.0.dist-info",
    ]
    assert sorted(path.name for path in site.glob("*.pth") if "gtm" in path.read_text()) == []


def test_the_command_tells_its_version(installed: Path, tmp_path: Path) -> None:
    assert "0.1.0" in run(installed / "bin" / "gtm", "--version", cwd=tmp_path)


def test_the_content_is_found_inside_the_package(installed: Path) -> None:
    [site] = (installed / "lib").glob("python*/site-packages")
    code = "from gtm_orchestra.content import *; print(content_root()); print(*content_names('plans', None))"
    root, plans = ask(installed, code).splitlines()
    assert Path(root) == site / "gtm_orchestra" / "content"
    assert plans.split() == sorted(path.stem for path in (ROOT / "plans").glob("*.yaml"))


def test_the_sample_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    said = run(installed / "bin" / "gtm", "demo", tmp_path / "demo", "--people", "3000", cwd=tmp_path)
    assert said.strip()
    assert list((tmp_path / "demo" / "outputs").rglob("*.html")) != []


def test_leaving_takes_nothing_of_the_neighbour(installed: Path, tmp_path: Path) -> None:
    # Of a copy: the other tests share the environment.
    copy = tmp_path / "venv"
    shutil.copytree(installed, copy, symlinks=True)
    [site] = (copy / "lib").glob("python*/site-packages")
    before = sorted(path.relative_to(site).as_posix() for path in (site / "agents").rglob("*.py"))
    run(copy / "bin" / "python", "-m", "pip", "uninstall", "-q", "-y", "gtm-orchestra", cwd=tmp_path)
    assert sorted(path.relative_to(site).as_posix() for path in (site / "agents").rglob("*.py")) == before
    assert list(site.glob("*gtm_orchestra*")) == []
    assert "Runner" in ask(copy, "import agents; print(agents.Runner.__name__)")
