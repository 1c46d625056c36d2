"""The keys there are, and what each of them opens."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from fnmatch import fnmatchcase

from tailrace.engine import MAX_NAME, Router
from tailrace.errors import Forbidden, RequestError, Unauthenticated
from tailrace.server.spec import KeySpec

ANONYMOUS = "anonymous"
"""The owner of every stream while no keys are configured."""

MAX_KEY = 4096
"""Longest key that is looked at: cloud tokens stay below it, and nobody gets a megabyte hashed for free."""


class Identity:
    """Who asks, and what they may do. ``owner`` is what their streams belong to: the key's digest, never its name."""

    __slots__ = ("owner", "spec")

    def __init__(self, spec: KeySpec) -> None:
        self.spec = spec
        self.owner = spec.digest

    def __repr__(self) -> str:
        return f"<Identity {self.spec.name}>"

    def may_enter(self, door: str) -> bool:
        """Whether ``door``, the name of a dialect, is open; "" asks for any door at all."""
        doors = self.spec.doors
        return "*" in doors or (door in doors if door else bool(doors))

    def may_use(self, *names: str) -> bool:
        """Whether a model may be asked that goes by any of ``names``."""
        return any(fnmatchcase(name, pattern) for pattern in self.spec.models for name in names)

    def enter(self, door: str = "") -> None:
        """Raise `Forbidden` unless `may_enter`."""
        if not self.may_enter(door):
            raise Forbidden("this key does not open this door", code="door_not_allowed")

    def use(self, *names: str) -> None:
        """Raise `Forbidden` unless `may_use`."""
        if not self.may_use(*names):
            raise Forbidden("this key may not ask that model", code="model_not_allowed", param="model")

    def administer(self) -> None:
        """Raise `Forbidden` unless the key is for operations."""
        if not self.spec.admin:
            raise Forbidden("this key is not for operations", code="not_an_admin")


def permit(identity: Identity, router: Router, model: str, dialect: str) -> None:
    """Raise `Forbidden` unless ``identity`` may ask for ``model``, by that name or by ``provider/model``.

    A key that may not ask for everything is not told what else there is, nor that there is nothing: both are Forbidden.
    """
    if identity.may_use(model[: MAX_NAME + 1]):
        return
    try:
        targets = () if model in router.routes else router.resolve(model, dialect).targets
    except RequestError:
        targets = ()
    identity.use(*map(str, targets))


NOBODY_IN_PARTICULAR = Identity(KeySpec(name=ANONYMOUS, digest=ANONYMOUS, admin=True))
"""Everybody, while no keys are configured: then only this machine is listened to."""


class Keyring:
    """The keys that clients may present.

    ``guarded``: a key is needed, even while there is none. Once there has been a key, one is always needed: a file that
    lost its last key locks everybody out, not in.
    """

    def __init__(self, keys: Iterable[KeySpec], *, guarded: bool = False) -> None:
        self._pepper = secrets.token_bytes(32)
        self.guarded = guarded
        self._identities: dict[bytes, Identity] = {}
        self.replace(keys)

    def replace(self, keys: Iterable[KeySpec]) -> set[str]:
        """Let these keys be the ones from now on; return the owners whose keys are no longer among them."""
        before = self.owners
        self._identities = {self._blinded(spec.digest): Identity(spec) for spec in keys}
        self.guarded = self.guarded or bool(self._identities)
        return before - self.owners

    @property
    def owners(self) -> set[str]:
        """The digests of all keys."""
        return {identity.owner for identity in self._identities.values()}

    @property
    def counted(self) -> bool:
        """Whether any key has a limit that is counted over time."""
        specs = [identity.spec for identity in self._identities.values()]
        return any(spec.requests_per_minute or spec.tokens_per_day for spec in specs)

    def knows(self, owner: str) -> bool:
        """Whether ``owner``'s key is good, or nobody needs one."""
        return self.of(owner) is not None

    def of(self, owner: str) -> Identity | None:
        """Return the identity of that owner, None when its key is no longer good."""
        if not self.guarded:
            return NOBODY_IN_PARTICULAR if owner == ANONYMOUS else None
        return self._identities.get(self._blinded(owner))

    def identify(self, presented: bytes | None) -> Identity:
        """Return whose key ``presented`` is, as it came over the wire; raises `Unauthenticated`."""
        if not self.guarded:
            return NOBODY_IN_PARTICULAR
        if presented and len(presented) <= MAX_KEY:
            owner = hashlib.sha256(presented).hexdigest()
            found = self._identities.get(self._blinded(owner))
            if found is not None and hmac.compare_digest(found.owner, owner):
                return found
        raise Unauthenticated("a valid key is needed", code="invalid_api_key")

    def _blinded(self, owner: str) -> bytes:
        # Looked up by a value that nobody outside can compute, so the time taken tells nothing about how much of a
        # digest was right; the whole of it is the look-up's key, never a part.
        return hmac.digest(self._pepper, owner.encode(), "sha256")
