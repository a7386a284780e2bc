"""What a person signs when they decide, and whether they have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gtm_orchestra.errors import PolicyError
from gtm_orchestra.policy.signatures import key_id_of, sign, verify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gtm_orchestra.config import Config
    from gtm_orchestra.plans.model import Waiver
    from gtm_orchestra.state.journal import Question

__all__ = ["Signer", "check_signature", "check_waiver", "claims_of", "signature_of", "waiver_signature"]

_VALID_FOR = timedelta(days=30)


@dataclass(frozen=True)
class Signer:
    """A person's private key (PEM), and a fresh id for what is signed with it; neither is kept."""

    private_key: bytes
    nonce: str


def signature_of(
    question: Question, body: Mapping[str, Any], *, config: Config, signer: Signer, at: datetime
) -> str:
    """Return a person's signature over a decision; it holds as long as what is decided, 30 days at most.

    Raises:
        UsageError: The key is none of theirs.
    """
    expires = question.body.get("binding", {}).get("expires_at")
    until = datetime.fromisoformat(expires) if expires else at + _VALID_FOR
    claims = claims_of(question, body)
    return _signed(claims, str(body["actor"]), config=config, signer=signer, at=at, until=until)


def waiver_signature(run_id: str, waiver: Waiver, *, config: Config, signer: Signer) -> str:
    """Return a person's signature over a waiver in a run; it holds as long as the waiver.

    Raises:
        UsageError: The key is none of theirs.
    """
    claims = _waiver_claims(run_id, waiver)
    return _signed(claims, waiver.by, config=config, signer=signer, at=waiver.at, until=waiver.expires_at)


def claims_of(question: Question, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a person signs: everything that is asked, and everything that they answer."""
    asked = {"run_id": question.run_id, "action": question.body["action"]}
    more = ("change", "substitute", "until") if question.kind == "remedy" else ()
    return {
        "question": question.question_id,
        "kind": question.kind,
        "binding": question.body.get("binding", asked),
        **{name: body.get(name, "") for name in ("answer", "reason", "on_behalf_of", *more)},
        "handle": body["actor"],
    }


def check_signature(
    question: Question, body: Mapping[str, Any], *, config: Config, at: datetime, audit: bool = False
) -> None:
    """Pass if a decision is signed as its person's keys demand.

    Raises:
        PolicyError: It is not.
    """
    claims, token = claims_of(question, body), str(body.get("token", ""))
    _check(claims, token, str(body["actor"]), config=config, at=at, audit=audit)


def check_waiver(
    run_id: str, waiver: Waiver, token: str, *, config: Config, at: datetime, audit: bool = False
) -> None:
    """Pass if a waiver is signed as its person's keys demand.

    Raises:
        PolicyError: It is not.
    """
    _check(_waiver_claims(run_id, waiver), token, waiver.by, config=config, at=at, audit=audit)


def _waiver_claims(run_id: str, waiver: Waiver) -> dict[str, Any]:
    return {"kind": "waiver", "run_id": run_id, "waiver": waiver.model_dump(mode="json"), "handle": waiver.by}


def _signed(
    claims: Mapping[str, Any], handle: str, *, config: Config, signer: Signer, at: datetime, until: datetime
) -> str:
    person = config.people.get(handle)
    key_id = key_id_of(signer.private_key, person.keys if person else {}, handle=handle)
    times = {"iat": int(at.timestamp()), "exp": int(until.timestamp()), "jti": signer.nonce}
    return sign({**claims, **times}, private_key=signer.private_key, key_id=key_id)


def _check(
    claims: Mapping[str, Any], token: str, handle: str, *, config: Config, at: datetime, audit: bool
) -> None:
    person = config.people.get(handle)
    keys = person.keys if person else {}
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
    verify(token, keys=keys, claims=claims, at=at, handle=handle)
