"""The language-neutral vectors, in every split of their bytes."""

import pytest

from tailrace.errors import LocalProtocolError
from tailrace.sse import MAX_EVENT, MAX_LINE, Decoder, comment, encode
from tests.sse.cases import VECTORS, Case, Outcome, chunks, cuts, run, vectors

DECODER_FILES = [
    "dispatch.json",
    "fields.json",
    "limits.json",
    "line-ends.json",
    "retry.json",
    "stream.json",
    "utf-8.json",
]
DECODER_CASES = [
    pytest.param(case, id=f"{name.removesuffix('.json')}: {case['name']}")
    for name in DECODER_FILES
    for case in vectors(name)
]
ENCODER_CASES = [pytest.param(case, id=case["name"]) for case in vectors("encode.json")]


def decoder_for(case: Case) -> Decoder:
    return Decoder(
        max_line=case.get("max_line", MAX_LINE),
        max_event=case.get("max_event", MAX_EVENT),
        last_event_id=case.get("last_event_id_before", ""),
    )


def check(case: Case, outcome: Outcome) -> None:
    assert [{"type": e.type, "data": e.text, "id": e.id} for e in outcome.events] == case["events"]
    expected_error = {"line": "a line of more", "event": "an event with more", None: None}[case.get("error")]
    if expected_error is None:
        assert outcome.error is None
    else:
        assert outcome.error is not None
        assert outcome.error.startswith(expected_error)
    for field in ("retry", "last_event_id", "pending"):
        if field in case:
            assert getattr(outcome, field) == case[field], field


def test_every_file_is_run() -> None:
    assert sorted(path.name for path in VECTORS.glob("*.json")) == sorted([*DECODER_FILES, "encode.json"])


@pytest.mark.parametrize("case", DECODER_CASES)
def test_decodes_the_chunks_as_they_came(case: Case) -> None:
    check(case, run(decoder_for(case), chunks(case)))


@pytest.mark.parametrize("case", DECODER_CASES)
def test_decodes_every_split_alike(case: Case) -> None:
    for split in cuts(b"".join(chunks(case))):
        check(case, run(decoder_for(case), split))


@pytest.mark.parametrize("case", DECODER_CASES)
def test_an_unfinished_tail_changes_no_event(case: Case) -> None:
    if "error" in case or "max_line" in case:
        return
    outcome = run(decoder_for(case), [*chunks(case), b"data: tail"])
    assert [{"type": e.type, "data": e.text, "id": e.id} for e in outcome.events] == case["events"]
    assert outcome.pending


@pytest.mark.parametrize("case", ENCODER_CASES)
def test_encodes(case: Case) -> None:
    fields = {name: case[name] for name in ("event", "id", "retry") if name in case}
    if "error" in case:
        with pytest.raises(LocalProtocolError):
            comment(case["comment"]) if "comment" in case else encode(case["data"], **fields)
    elif "comment" in case:
        assert comment(case["comment"]) == case["output"].encode()
    else:
        assert encode(case["data"], **fields) == case["output"].encode()
        assert encode(case["data"].encode(), **fields) == case["output"].encode()
