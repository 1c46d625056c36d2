"""``tailrace keys new``: a key that is shown once, and the table that lets it in."""

from __future__ import annotations

import hashlib
import re

from tailrace.cli.keys import BYTES, PREFIX
from tailrace.cli.redaction import Redactor
from tests.cli.commands import tailrace
from tests.config.reading import problems, read


def made(*words: str) -> tuple[str, str]:
    code, out, err = tailrace("keys", "new", *words)
    assert code == 0
    found = re.search(r"trk_[A-Za-z0-9_-]+", err)
    assert found
    assert found[0] not in out
    return out, found[0]


def test_the_table_is_the_configuration_of_that_key() -> None:
    out, key = made("alice")
    (spec,) = read(out).server.every_key
    assert (spec.name, spec.digest) == ("alice", hashlib.sha256(key.encode()).hexdigest())
    assert (spec.models, spec.doors, spec.admin, spec.streams) == (("*",), ("*",), False, None)


def test_what_it_may_do_goes_into_the_table() -> None:
    words = ["grafana", "--admin", "--door", "plain", "--door", "openai_chat", "--model", "fast", "--model", "openai/*"]
    out, _ = made(*words, "--streams", "2", "--requests-per-minute", "30", "--tokens-per-day", "1000")
    (spec,) = read(out).server.every_key
    assert (spec.admin, spec.doors, spec.models) == (True, ("plain", "openai_chat"), ("fast", "openai/*"))
    assert (spec.streams, spec.requests_per_minute, spec.tokens_per_day) == (2, 30, 1000)


def test_no_two_keys_are_alike_and_each_is_long() -> None:
    keys = {made("a")[1] for _ in range(20)}
    assert len(keys) == 20
    assert all(key.startswith(PREFIX) and len(key) == len(PREFIX) + -(-BYTES * 4 // 3) for key in keys)
    assert all(Redactor()(f"got {key}!") == "got …!" for key in keys)


def test_a_name_that_would_break_the_file_is_refused() -> None:
    for name in ("a b", "a]", 'a"', "a\n[server]", "", "-x", "a.b", "x" * 65):
        code, out, err = tailrace("keys", "new", "--", name)
        assert (code, out) == (2, "")
        assert "trk_" not in err


def test_a_model_in_quotes_stays_one_value() -> None:
    out, _ = made("a", "--model", 'x"]\n[server]\nport = 1')
    assert read(out).server.every_key[0].models == ('x"]\n[server]\nport = 1',)


def test_a_door_that_is_none_is_found_by_the_check() -> None:
    out, _ = made("a", "--door", "front")
    assert "must be" in problems(out)[0]
