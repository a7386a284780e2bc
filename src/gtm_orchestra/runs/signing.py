"""What a person signs when they decide, and whether they have."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gtm_orchestra.errors import PolicyError
from gtm_orchestra.policy.signatures import key_id_of, sign, verify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gtm_orchestra.config import Config
    from gtm_orchestra.state.journal import Question

__all__ = ["check_signature", "claims_of", "signature_of"]

_VALID_FOR = timedelta(days=30)


def signature_of(
    question: Question,
    body: Mapping[str, Any],
    *,
    config: Config,
    private_key: bytes,
    at: datetime,
    nonce: str,
) -> str:
    """Return a person's signature over a decision; it holds as long as what is decided, 30 days at most.

    Raises:
        UsageError: The key is none of theirs.
    """
    handle = str(body["actor"])
    person = config.people.get(handle)
    key_id = key_id_of(private_key, person.keys if person else {}, handle=handle)
    expires = question.body.get("binding", {}).get("expires_at")
    until = datetime.fromisoformat(expires) if expires else at + _VALID_FOR
    times = {"iat": int(at.timestamp()), "exp": int(until.timestamp()), "jti": nonce}
    return sign({**claims_of(question, body), **times}, private_key=private_key, key_id=key_id)


def claims_of(question: Question, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a person signs: everything that is asked, and everything that they answer."""
    asked = {"run_id": question.run_id, "action": question.body["action"]}
    return {
        "question": question.question_id,
        "kind": question.kind,
        "binding": question.body.get("binding", asked),
        **{name: body.get(name, "") for name in ("answer", "reason", "on_behalf_of")},
        "handle": body["actor"],
    }


def check_signature(
    question: Question, body: Mapping[str, Any], *, config: Config, at: datetime, audit: bool = False
) -> None:
    """Pass if a decision is signed as its person's keys demand.

    Raises:
        PolicyError: It is not.
    """
    handle = str(body["actor"])
    person = config.people.get(handle)
    keys = person.keys if person else {}
    token = str(body.get("token", ""))
    if not token:
        since = [key.since for key in keys.values()]
        if not keys or (audit and None not in since and all(day > at.date() for day in since if day)):
            return
        raise PolicyError(
            f"{handle!r} signs decisions, and this one is not signed",
            hint="add --key FILE, with the private half of a key in gtm.toml",
        )
    if not keys:
        raise PolicyError(
            f"the decision of {handle!r} is signed, but gtm.toml knows no key of theirs",
            hint=f"put the key back under [people.{handle}.keys]",
        )
    verify(token, keys=keys, claims=claims_of(question, body), at=at, handle=handle)
