"""How long the largest plans take to review and compile, and what hostile ones cost.

    plans.py                a table: seconds of CPU for large plans, seconds and megabytes for hostile files
    plans.py --hostile      one line of JSON per hostile file: how it was refused, seconds, peak megabytes

Large: 500 tasks, the most a plan may have, in four shapes; the goal is review and compilation together within
a second. Hostile: files that somebody wrote to do harm, each parsed, validated and reviewed as such a file
is; the goal is a clear error within a second and 200 MB. tests/plans/test_hostile.py reads the second form.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gtm_orchestra.errors import GtmError
from gtm_orchestra.plans.blueprint import Filling, fill, parse_blueprint
from gtm_orchestra.plans.model import ErrorHandling, Gate, Parallelization, PlanDefinition, Stage, Task
from gtm_orchestra.plans.parse import parse_json
from gtm_orchestra.plans.patterns import blocks_of
from gtm_orchestra.plans.reading import definition_from
from gtm_orchestra.plans.review import Known, review_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from gtm_orchestra.graphs.services import RunServices

GOAL_S = 1.0
GOAL_MB = 200
_LIMIT_MB = 1_500  # of address space: what is not bounded ends in a MemoryError, not in the machine's
_KNOWN = Known(
    agents={"testing-lead"}, kinds={"any"}, tools=set(), skills=set(), roles={"lead": ["ada"]}, people={"ada"}
)
_FILLING = Filling(plan_id="plan-20261101T090000Z", initiative="Any", inputs={"channels": ["web"]})
Before = dict[str, list[str]]


def plan_of(before: Before) -> PlanDefinition:
    """Return a plan; node → what comes before it, "g…" being merge gates."""
    tasks = tuple(
        Task(
            task_id=node,
            agent="testing-lead",
            kind="any",
            purpose="",
            function="QA",
            output_var=f"of_{node}",
            input=tuple(f"of_{name}" for name in after if name[0] != "g"),
            dependencies=tuple(after),
        )
        for node, after in before.items()
        if node[0] != "g"
    )
    gates = tuple(
        Gate(gate_id=node, after=tuple(after), kind="merge")
        for node, after in before.items()
        if node[0] == "g"
    )
    stages = (Stage(stage_id="1", name="all", execution="parallel", tasks=tasks),)
    plan = PlanDefinition(
        plan_id="plan-20261101T090000Z",
        command="any",
        initiative="Any",
        objective="",
        complexity="very-complex",
        strategy="diamond",
        pattern_rationale="",
        estimated_duration="",
        estimated_cost="",
        inputs={},
        stages=stages,
        gates=gates,
        parallelization=Parallelization(max_concurrent=8),
        context_passing="",
        error_handling=ErrorHandling(),
    )
    try:
        return plan.model_copy(update={"blocks": blocks_of(stages, gates)})
    except Exception:  # noqa: BLE001 - of a circle there are no blocks
        return plan


def nested(depth: int, tasks: int) -> Before:
    """Return a diamond in an arm of a diamond in an arm of …, of so many tasks in all."""
    before: Before = {}
    last: list[str] = []
    rows = [(tasks - depth) // depth + (level < (tasks - depth) % depth) for level in range(depth)]
    for level in range(depth):
        before[f"in{level}"] = last
        row = f"in{level}"
        for step in range(rows[level]):
            before[f"s{level}.{step}"] = [row]
            row = f"s{level}.{step}"
        last = [f"in{level}"]
    for level in reversed(range(depth)):
        before[f"g{level}"] = [*last, f"s{level}.{rows[level] - 1}"]
        last = [f"g{level}"]
    return before


LARGE: dict[str, Callable[[], Before]] = {
    "40 diamonds, each in an arm of the last": lambda: nested(40, 500),
    "500 tasks in a row": lambda: {f"t{n}": [f"t{n - 1}"] if n else [] for n in range(500)},
    "499 arms that meet in one gate": lambda: (
        {f"t{n}": [] for n in range(499)} | {"g0": [f"t{n}" for n in range(499)], "t499": ["g0"]}
    ),
    "500 tasks that cross": lambda: {
        f"t{n}": [f"t{m}" for m in (n - 2, n - 3) if m >= 0] for n in range(500)
    },
}


def _read_plan(data: bytes) -> None:
    _refuse(definition_from(parse_json(data, what="p.json"), what="p.json"))


def _read_blueprint(data: bytes) -> None:
    _refuse(fill(parse_blueprint(data.decode("utf-8", errors="surrogatepass"), what="b.yaml"), _FILLING))


def _refuse(plan: PlanDefinition) -> None:
    for finding in review_plan(plan, _KNOWN).findings:
        if finding.severity == "blocker":
            raise GtmError(f"{finding.path}: {finding.message}", hint=finding.mend)


def _plan(change: Callable[[dict[str, Any]], None] = lambda _: None, before: Before | None = None) -> bytes:
    raw = plan_of(before or {"a": [], "b": ["a"]}).model_dump(mode="json")
    change(raw)
    return json.dumps(raw).encode()


def _many_tasks(count: int) -> Callable[[dict[str, Any]], None]:
    def change(raw: dict[str, Any]) -> None:
        task = raw["stages"][0]["tasks"][0]
        few = {k: task[k] for k in ("agent", "kind", "purpose", "function")}
        raw["stages"][0]["tasks"] = [few | {"task_id": f"t{n}", "output_var": f"v{n}"} for n in range(count)]

    return change


def _twice(raw: dict[str, Any]) -> None:
    raw["stages"][0]["tasks"][1]["task_id"] = "a"


def _wrong_types(raw: dict[str, Any]) -> None:
    raw |= {"stages": {"a": 1}, "gates": 7, "initiative": [], "inputs": "x", "budgets": {"tokens": True}}


def _many_faults(raw: dict[str, Any]) -> None:
    raw["stages"][0]["tasks"] = [{"wrong": n} for n in range(500)]


def _blueprint(tasks: str = "", *, extra: str = "") -> bytes:
    task = "{id: '1.1', agent: testing-lead, kind: any, purpose: P, function: QA, output: a}"
    text = (
        "blueprint: any\nversion: 1\nobjective: O\npattern: {default: diamond, reasons: {diamond: R}}\n"
        f"roles: {{}}\nstages:\n- id: '1'\n  name: N\n  tasks:\n  - {tasks or task}\n{extra}"
    )
    return text.encode("utf-8", errors="surrogatepass")


def _bomb() -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join(lines).encode()


_TASK = "{{id: '{0}', agent: testing-lead, kind: any, purpose: P, function: QA, output: v{0}}}"

PLANS: dict[str, Callable[[], bytes]] = {
    "a circle of 500 tasks": lambda: _plan(before={f"t{n}": [f"t{(n - 1) % 500}"] for n in range(500)}),
    "a circle of two": lambda: _plan(before={"a": ["b"], "b": ["a"]}),
    "100,000 tasks": lambda: _plan(_many_tasks(100_000)),
    "as many tasks as a file can hold": lambda: _plan(_many_tasks(8_000)),
    "nested 100,000 deep": lambda: b'{"a":' * 100_000,
    "nested 500,000 deep in lists": lambda: b"[" * 500_000,
    "an id twice": lambda: _plan(_twice),
    "a key twice": lambda: _plan().replace(b'"command"', b'"initiative": "Other", "command"'),
    "100,000 keys": lambda: b"{" + b",".join(b'"k%d":1' % n for n in range(90_000)) + b"}",
    "NaN": lambda: _plan().replace(b'"estimated_minutes": 1.0', b'"estimated_minutes": NaN'),
    "infinity": lambda: _plan().replace(b'"estimated_minutes": 1.0', b'"estimated_minutes": 1e999'),
    "half of a surrogate pair": lambda: _plan().replace(b'"objective": ""', b'"objective": "\\ud800"'),
    "wrong types": lambda: _plan(_wrong_types),
    "500 tasks without a field": lambda: _plan(_many_faults),
    "an integer beyond 2^53": lambda: _plan().replace(b'"timeout_s": 600', b'"timeout_s": 9007199254740993'),
    "an integer of 900,000 digits": lambda: b'{"a": ' + b"9" * 900_000 + b"}",
    "2 MB": lambda: b'{"a": "' + b"x" * 2_000_000 + b'"}',
    "no object": lambda: b"[]",
    "not UTF-8": lambda: b'{"a": "\xff"}',
    "cut off": lambda: _plan()[:-40],
}
BLUEPRINTS: dict[str, Callable[[], bytes]] = {
    "a bomb of aliases": _bomb,
    "an alias of itself": lambda: b"a: &a [*a]",
    "lists nested 90,000 deep": lambda: b"a: " + b"[" * 90_000,
    "maps nested 60,000 deep": lambda: b"a: " + b"{a: " * 45_000,
    "blocks nested 90,000 deep": lambda: b"- " * 90_000,
    "100,000 tasks": lambda: _blueprint("\n  - ".join(_TASK.format(f"t{n}") for n in range(100_000))),
    "2,000 tasks": lambda: _blueprint("\n  - ".join(_TASK.format(f"t{n}") for n in range(2_000))),
    "500 tasks times 500 channels": lambda: _blueprint(
        "\n  - ".join(_TASK.format(f"t{n}") for n in range(500)),
        extra="  for_each: {param: channel, items: [" + ", ".join(f"c{n}" for n in range(500)) + "]}\n"
        "  gate: {id: g, after: [t1], kind: merge}\n",
    ),
    "a key twice": lambda: _blueprint(extra="version: 2\n"),
    "40,000 keys": lambda: "\n".join(f"k{n}: 1" for n in range(20_000)).encode(),
    "keys that are lists": lambda: b"? [a]\n: 1\n",
    "NaN": lambda: _blueprint(_TASK.format("t").replace("}", ", minutes: .nan}")),
    "half of a surrogate pair": lambda: _blueprint(extra='context_passing: "\\ud800"\n'),
    "an integer of 100,000 digits": lambda: _blueprint(extra=f"max_concurrent: {'9' * 100_000}\n"),
    "a date that is none": lambda: _blueprint(extra="context_passing: 2026-99-99\n"),
    "a tag that makes an object": lambda: _blueprint(extra="context_passing: !!python/object:os.system x\n"),
    "wrong types": lambda: b"blueprint: []\nversion: {}\nstages: 7\nroles: x\n",
    "a circle": lambda: _blueprint(_TASK.format("t").replace("}", ", after: [t]}")),
    "2 MB": lambda: _blueprint(extra=f"context_passing: {'x' * 2_000_000}\n"),
    "a control character": lambda: _blueprint(extra='context_passing: "\x00"\n'),
    "nothing": lambda: b"",
}


def hostile() -> list[dict[str, Any]]:
    """Return how each hostile file was refused; one that was not is `refused: ""`."""
    found = []
    for kind, files, read in (("plan", PLANS, _read_plan), ("blueprint", BLUEPRINTS, _read_blueprint)):
        for name, make in files.items():
            data = make()
            start = time.perf_counter()
            refused = ""
            try:
                read(data)
            except GtmError as error:
                refused = str(error)
            except Exception as error:  # noqa: BLE001 - what the test must see: a foreign error is no answer
                refused = f"{type(error).__name__}!"
            seconds = time.perf_counter() - start
            line = {"kind": kind, "name": name, "refused": refused}
            found.append(line | {"seconds": round(seconds, 3), "mb": _peak_mb()})
            del data
    return found


def _peak_mb() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        # Linux hands ru_maxrss of the process that starts another on to it.
        peak_kb = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(peak_kb.split()[1]) // 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 if sys.platform != "darwin" else 1024 * 1024)


def large() -> None:
    """Print CPU seconds of review and compilation per shape."""
    from gtm_orchestra.graphs.compiler import compile_plan  # noqa: PLC0415 - LangGraph is heavy

    print(f"{'500 tasks':<42}{'review s':>10}{'compile s':>11}{'both':>8}   goal {GOAL_S:g} s")
    for name, make in LARGE.items():
        plan = plan_of(make())
        times = []
        for work in (
            lambda plan=plan: review_plan(plan, _KNOWN),
            lambda plan=plan: compile_plan(plan, cast("RunServices", None)),
        ):
            best = min(_cpu(work) for _ in range(3))
            times.append(best)
        within = "within" if sum(times) <= GOAL_S else "MISSED"
        print(f"{name:<42}{times[0]:>10.2f}{times[1]:>11.2f}{sum(times):>8.2f}   {within}")


def _cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hostile", action="store_true")
    if parser.parse_args().hostile:
        limit = _LIMIT_MB * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for line in hostile():
            print(json.dumps(line))
        return
    large()
    child = subprocess.run(
        [sys.executable, __file__, "--hostile"], check=True, capture_output=True, text=True
    )
    lines = [json.loads(line) for line in child.stdout.splitlines()]
    print(f"\n{'hostile file':<52}{'s':>7}{'peak MB':>9}   goal {GOAL_S:g} s, {GOAL_MB} MB (peak so far)")
    for line in lines:
        print(f"{line['kind'] + ': ' + line['name']:<52}{line['seconds']:>7.2f}{line['mb']:>9}")
    worst = max(lines, key=lambda line: line["seconds"])
    print(f"slowest: {worst['name']}, {worst['seconds']:.2f} s; peak {max(line['mb'] for line in lines)} MB")


if __name__ == "__main__":
    main()
