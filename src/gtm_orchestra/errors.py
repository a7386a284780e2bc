"""Every error that this package raises on purpose.

::

    GtmError                     exit 1   the root; `exit_code` is what the command line returns
    ├── UsageError               exit 2   the request itself is wrong
    │   ├── ConfigError                   gtm.toml
    │   ├── ConditionError                a condition of the rule language
    │   ├── PlanFormatError               a plan, blueprint or agent file
    │   └── SourceError                   a data source: missing, empty, unreadable, not as mapped
    ├── BlockedError             exit 3   a gate, a review or a policy says no
    │   └── PolicyError                   this person may not decide this
    ├── PausedError              exit 4   a person has paused everything
    ├── ConflictError            exit 7   somebody else changed it, holds it, or the digest is stale
    │   └── BusyError                     another process drives this run
    ├── EffectError              exit 1   a destination failed, or is not as it was asked to be
    └── IntegrityError           exit 1   stored history does not verify
        └── StorageError                  disk full, read-only, unreadable

A message says what, where, seen against allowed, and the next step. It never holds a customer's value.
Control flow (a task that waits for a person) is not an error and not in this tree.
"""

from __future__ import annotations

from typing import ClassVar


class GtmError(Exception):
    """The root of all errors raised on purpose.

    Attributes:
        hint: The next step, in words a marketing-operations person can follow; may be empty.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Plans outlive processes: an error crosses process borders with all its parts.
        return (_rebuild, (type(self), self.__dict__.copy()))


def _rebuild(cls: type[GtmError], state: dict[str, object]) -> GtmError:
    error = cls.__new__(cls)
    error.__dict__.update(state)
    error.args = (state["message"],)
    return error


class UsageError(GtmError):
    """The request itself is wrong: a value that is not allowed, a name that does not exist."""

    exit_code = 2


class ConfigError(UsageError):
    """gtm.toml is missing, unreadable, or names something that does not exist."""


class ConditionError(UsageError):
    """A condition is not in the rule language, or would not mean the same everywhere.

    Attributes:
        path: Where in the condition, such as "$or[1].country.$in"; empty for the whole of it.
        seen: What stands there.
        allowed: What may stand there.
    """

    def __init__(
        self, message: str, *, path: str = "", seen: str = "", allowed: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.path, self.seen, self.allowed = path, seen, allowed

    @classmethod
    def at(cls, path: str, *, seen: str, allowed: str, hint: str) -> ConditionError:
        """Return the error for one place of a condition."""
        message = f"condition at {path or 'the top'}: seen {seen}, allowed {allowed}"
        return cls(message, path=path, seen=seen, allowed=allowed, hint=hint)


class PlanFormatError(UsageError):
    """A plan, blueprint or agent file cannot be read as one."""


class SourceError(UsageError):
    """A data source is missing, empty, unreadable, or not as gtm.toml maps it."""


class BlockedError(GtmError):
    """A gate, a review or a policy says no."""

    exit_code = 3


class PolicyError(BlockedError):
    """This person may not decide this."""


class PausedError(GtmError):
    """A person has paused the whole workspace: nothing starts or resumes until it is lifted."""

    exit_code = 4


class ConflictError(GtmError):
    """Somebody else changed it meanwhile, or what was approved is not what is there now."""

    exit_code = 7


class BusyError(ConflictError):
    """Another process drives this run or writes this plan right now."""


class EffectError(GtmError):
    """A destination failed, or what is live there is not what was asked for.

    Attributes:
        sent: Whether it may have happened all the same. False only where nothing can have reached the
            destination: a blind effect that may have happened is never sent again without a person's word.
    """

    def __init__(self, message: str, *, hint: str = "", sent: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.sent = sent


class IntegrityError(GtmError):
    """Stored history does not verify: an entry was changed, cut off or is unreadable."""


class StorageError(IntegrityError):
    """The workspace cannot be written or read: disk full, read-only, no permission."""
