"""The tables of keys: ``[keys.NAME]``, and the file that has nothing else."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from tailrace.config.table import Table
from tailrace.config.values import Count, Digest, DoorName, Name, SecretReference, listed


class KeyTable(Table):
    """``[keys.NAME]``: a key that clients may show, and what it opens."""

    sha256: Digest = Field(
        default="", description="The SHA-256 of the key, as `tailrace keys new` prints it: the key itself is not kept."
    )
    key: SecretReference = Field(default=None, description="Instead of sha256: env:NAME or file:PATH.")
    models: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        default=("*",), description="What may be asked: routes, provider/model, with * and ?."
    )
    doors: Annotated[tuple[DoorName, ...], BeforeValidator(listed)] = Field(
        default=("*",), description="Dialects that may be spoken."
    )
    admin: bool = Field(default=False, description="Whether it opens operations, such as /metrics.")
    streams: Count | None = Field(default=None, description="Answers being written at once, in each process.")
    requests_per_minute: Count | None = Field(default=None, description="Requests that begin an answer.")
    tokens_per_day: Count | None = Field(default=None, description="In and out, counted as answers end.")

    @model_validator(mode="after")
    def _one_key(self) -> KeyTable:
        if bool(self.sha256) == (self.key is not None):
            raise ValueError('needs either sha256 = "…" or key = "env:NAME"; `tailrace keys new` makes both')
        return self


class KeyFile(Table):
    """A file of keys (``server.keys_file``)."""

    keys: dict[Name, KeyTable] = Field(default={})
