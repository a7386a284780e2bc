"""Signatures of decisions: compact JWS (RFC 7515) with Ed25519 (RFC 8037), by PyJWT and cryptography.

A signature binds everything that was asked and answered. What it is compared with is computed anew from the
question, never read out of the token; the token adds only when it was made, until when it holds, and its id.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from gtm_orchestra.errors import GtmError, PolicyError, UsageError
from gtm_orchestra.plans.parse import canonical_json, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    from gtm_orchestra.config import KeySettings

__all__ = ["key_id_of", "new_key", "sign", "verify"]

_ALGORITHMS = ["EdDSA"]
_TYPE = "gtm-decision+jws"
_MAX_BYTES = 262_144
_LEEWAY_S = 300
_PART = re.compile(r"[A-Za-z0-9_-]+")
_TIMES = ("exp", "iat", "jti")


def new_key() -> tuple[bytes, str]:
    """Return a fresh Ed25519 key: the private one as PEM (PKCS 8, unencrypted), the public one as base64."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - loaded only to sign
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - as above

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem, base64.b64encode(key.public_key().public_bytes_raw()).decode()


def key_id_of(private_key: bytes, keys: Mapping[str, KeySettings], *, handle: str) -> str:
    """Return under which id a person's gtm.toml entry lists the public half of a key.

    Raises:
        UsageError: It lists no such key, or this is no Ed25519 key.
    """
    mine = _private(private_key).public_key().public_bytes_raw()
    for key_id, key in keys.items():
        if _public(key.public).public_bytes_raw() == mine:
            return key_id
    raise UsageError(
        f"this key is none of those in gtm.toml [people.{handle}.keys]",
        hint="use the right file, or add the lines that 'gtm approvals keygen' printed",
    )


def sign(claims: Mapping[str, Any], *, private_key: bytes, key_id: str) -> str:
    """Return claims as a compact JWS; they need exp, iat (seconds since 1970) and jti.

    Raises:
        UsageError: This is no Ed25519 key.
    """
    import jwt  # noqa: PLC0415 - loaded only to sign

    headers = {"kid": key_id, "typ": _TYPE}
    return jwt.encode(dict(claims), _private(private_key), algorithm="EdDSA", headers=headers)


def verify(
    token: str, *, keys: Mapping[str, KeySettings], claims: Mapping[str, Any], at: datetime, handle: str
) -> str:
    """Return the id of the key that signed exactly these claims.

    Args:
        token: A compact JWS from anywhere.
        keys: The keys of the person who decides, and of nobody else.
        claims: What must have been signed, without exp, iat and jti.
        at: The moment at which signature and key must be in force.
        handle: Names the person in errors.

    Raises:
        PolicyError: It is not that, whatever it is.
    """
    try:
        key_id = _verified(token, keys, claims, int(at.timestamp()))
    except PolicyError as error:
        raise PolicyError(
            f"the signature of {handle!r} does not hold: {error.message}",
            hint="sign again with a key of gtm.toml that is in force: --key FILE",
        ) from None
    revoked = keys[key_id].revoked
    if revoked is not None and revoked <= at.date():
        raise PolicyError(
            f"the key {key_id!r} of {handle!r} was revoked on {revoked}",
            hint="sign with a key that is in force; make one with 'gtm approvals keygen'",
        )
    return key_id


def _verified(token: str, keys: Mapping[str, KeySettings], claims: Mapping[str, Any], at: int) -> str:
    import jwt  # noqa: PLC0415 - loaded only to verify

    header, said = _read(token)
    key_id = header.get("kid")
    if header != {"alg": "EdDSA", "kid": key_id, "typ": _TYPE}:
        raise PolicyError("its header is not that of a decision signed with EdDSA")
    if not isinstance(key_id, str) or key_id not in keys:
        raise PolicyError("it was made with a key that is not this person's")
    try:
        # The times are compared below with the clock that is handed in.
        options: Any = dict.fromkeys(("verify_exp", "verify_iat", "verify_nbf"), False)
        jwt.decode(token, _public(keys[key_id].public), algorithms=_ALGORITHMS, options=options)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise PolicyError("it was not made with this key over these words") from error
    issued, expires = said.get("iat"), said.get("exp")
    if type(issued) is not int or type(expires) is not int or not isinstance(said.get("jti"), str):
        raise PolicyError("it lacks when it was made, until when it holds, or its id")
    if canonical_json({k: v for k, v in said.items() if k not in _TIMES}) != canonical_json(dict(claims)):
        raise PolicyError("it was made over something else than what is decided here")
    if not issued - _LEEWAY_S <= at < expires:
        raise PolicyError("it has expired, or was made in the future")
    return key_id


def _read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and payload of a token that can be written in one way only."""
    parts = token.split(".") if len(token) <= _MAX_BYTES else []
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):  # noqa: PLR2004 - header, payload, signature
        raise PolicyError("it is no compact JWS")
    try:
        decoded = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts]
        # Spare bits of the last letter may not tell two tokens with one meaning apart.
        if [base64.urlsafe_b64encode(data).decode().rstrip("=") for data in decoded] != parts:
            raise PolicyError("it is no compact JWS")
        header, said = (parse_json(data, what="the token", max_bytes=_MAX_BYTES) for data in decoded[:2])
    except (binascii.Error, ValueError, RecursionError, GtmError) as error:
        raise PolicyError("it is no compact JWS") from error
    if not isinstance(header, dict) or not isinstance(said, dict):
        raise PolicyError("it is no compact JWS")
    return header, said


def _private(pem: bytes) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - loaded only to sign
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - as above

    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(
            "this file is no private key in PEM without a password",
            hint="make one with 'gtm approvals keygen FILE'",
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError("this is no Ed25519 key", hint="make one with 'gtm approvals keygen FILE'")
    return key


def _public(text: str) -> Ed25519PublicKey:
    """Return a public key of gtm.toml: base64 of its 32 bytes, or PEM.

    Raises:
        PolicyError: It is neither; nothing signed with it is accepted.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - loaded only to verify
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - as above

    try:
        if text.lstrip().startswith("-----BEGIN"):
            key = serialization.load_pem_public_key(text.encode())
        else:
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PolicyError("its public key in gtm.toml is no Ed25519 key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise PolicyError("its public key in gtm.toml is no Ed25519 key")
    return key
