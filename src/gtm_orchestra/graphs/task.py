"""The task wrapper: attempt, retry, substitute. It never raises: every ending is a value."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gtm_orchestra.errors import BlockedError
from gtm_orchestra.plans.gates import decide_merge
from gtm_orchestra.plans.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gtm_orchestra.graphs.services import RunServices
    from gtm_orchestra.plans.model import Gate, Task

__all__ = ["run_gate", "run_task"]


async def run_task(
    task: Task, services: RunServices, slots: asyncio.Semaphore, before: Mapping[str, Outcome]
) -> Outcome:
    """Return how a task ended: served from the journal, held back by what came before, or done now.

    An attempt takes one of the `slots`, so that no more are at work than the plan allows.
    """
    served = services.finished(task.task_id)
    if served is not None:
        return served
    outcome = _held_back(task.task_id, before) or _not_taken(task, services)
    if outcome is None:
        stopped = services.stopped()
        if stopped:
            return Outcome(node=task.task_id, name="waiting", note=stopped)
        outcome = await _attempts(task, services, slots)
    if outcome.name != "waiting":
        services.record(outcome)
    return outcome


async def run_gate(gate: Gate, services: RunServices, before: Mapping[str, Outcome]) -> Outcome:
    """Return a gate's outcome: the verdict on the arms, or a person's decision."""
    served = services.finished(gate.gate_id)
    if served is not None:
        return served
    if gate.kind == "approval":
        held_back = _held_back(gate.gate_id, before)
        if held_back is None:
            return services.ask(gate)
        if held_back.name != "waiting":
            services.record(held_back)
        return held_back
    variables = tuple(o.output_var for o in before.values() if o.usable and o.output_var)
    waiting = [node for node, outcome in before.items() if outcome.name == "waiting"]
    verdict = decide_merge(
        gate,
        services.plan,
        before,
        services.results(variables),
        waivers=services.waivers(gate),
        overdue=bool(waiting) and services.is_overdue(gate, waiting),
    )
    name = {"go": "ok", "no-go": "rejected", "waiting": "waiting"}[verdict.decision]
    outcome = Outcome.model_validate(
        {"node": gate.gate_id, "name": name, "note": verdict.why, "verdict": verdict}
    )
    if verdict.decision != "waiting":
        services.record(outcome)
    return outcome


def _held_back(node: str, before: Mapping[str, Outcome]) -> Outcome | None:
    """Return why a node cannot start, as its outcome; None if it may.

    What was not taken is no obstacle, unless nothing else stands before the node: then neither is it taken.
    """
    if before and all(o.untaken for o in before.values()):
        first = next(iter(before))
        return Outcome(node=node, name="skipped", untaken=True, note=f"not taken, because {first} was not")
    broken = [o for o in before.values() if not o.usable and not o.untaken]
    if not broken:
        return None
    blocking = [o for o in broken if o.name != "waiting"]
    if not blocking:
        return Outcome(node=node, name="waiting", note=f"waits for {', '.join(o.node for o in broken)}")
    return Outcome(node=node, name="skipped", note=f"not done, because {_because(blocking[0])}")


def _not_taken(task: Task, services: RunServices) -> Outcome | None:
    why = services.not_taken(task)
    if not why:
        return None
    return Outcome(node=task.task_id, name="skipped", untaken=True, note=f"not taken: {why}")


def _because(outcome: Outcome) -> str:
    if outcome.name == "skipped":
        return f"{outcome.node} was skipped"
    return f"{outcome.node} {outcome.name.replace('_', ' ')}"


async def _attempts(task: Task, services: RunServices, slots: asyncio.Semaphore) -> Outcome:
    """Try the owner, then each substitute, each as often as the plan allows; count across processes."""
    handling = services.plan.error_handling
    allowed = handling.max_retries + 1
    failed = services.attempts(task.task_id)
    error, timed_out, notes = "", False, []
    for position, agent in enumerate(services.assigned(task)):
        reason = services.unavailable(agent)
        if reason:
            notes.append(f"{agent} is unavailable: {reason}")
            continue
        while failed < allowed * (position + 1):
            attempt = failed + 1
            async with slots:
                # Asked here again: it may have waited long for its slot, or for its next attempt.
                if stopped := services.stopped():
                    return Outcome(node=task.task_id, name="waiting", attempts=failed, note=stopped)
                outcome, error, timed_out = await _once(task, agent, attempt, services, error)
            if outcome is not None:
                if agent != task.agent:
                    notes.append(f"done by the substitute {agent}")
                return outcome.model_copy(update={"note": "; ".join(filter(None, [*notes, outcome.note]))})
            failed = attempt
            await services.pause(attempt)
    error = error or "; ".join(notes) or f"all {failed} attempts had failed before this process took over"
    ended = Outcome(
        node=task.task_id,
        name="timed_out" if timed_out else "failed",
        agent=task.agent,
        attempts=failed,
        error=error,
        note="; ".join(notes),
    )
    return services.remedy(task, ended) if handling.on_exhausted == "ask" else ended


async def _once(
    task: Task, agent: str, attempt: int, services: RunServices, earlier_error: str
) -> tuple[Outcome | None, str, bool]:
    services.attempt_started(task, agent, attempt)
    told = earlier_error if services.plan.error_handling.retry_strategy == "with-modification" else ""
    try:
        done = services.prepared(task)
        if done is None:
            async with asyncio.timeout(task.timeout_s):
                done = await services.perform(task, agent, earlier_error=told)
        # Never cut off by the timeout: what a destination did later would look like somebody else's change.
        held = await services.carry_out(task, agent, done)
    except TimeoutError:
        error = f"no result after {task.timeout_s} s"
        services.attempt_failed(task, agent, attempt, error)
        return None, error, True
    except BlockedError as raised:
        # A "no" is an answer, not a failure: asking again would give the same one.
        return (
            Outcome(node=task.task_id, name="rejected", agent=agent, attempts=attempt, error=str(raised)),
            "",
            False,
        )
    except Exception as raised:  # noqa: BLE001 - the one place where any failure becomes a value; cancellation passes
        error = services.describe(raised, task)
        services.attempt_failed(task, agent, attempt, error)
        return None, error, False
    if held is not None:
        return held, "", False
    outcome = Outcome(
        node=task.task_id,
        name="degraded" if done.degraded else "ok",
        agent=agent,
        attempts=attempt,
        output_var=task.output_var,
        output=done.output,
        artifacts=dict(done.artifacts),
        note=done.degraded,
    )
    return outcome, "", False
