from __future__ import annotations

import pytest

from tests.config.reading import problems, read

LITERAL = "sk-ant-api03-aVeryRealKey"


@pytest.mark.parametrize(
    "text",
    [
        f'[providers.openai]\napi_key = "{LITERAL}"',
        f'[providers.openai]\napi_key = "env:{LITERAL}"',
        f'[providers.openai]\napi_key = ["{LITERAL}"]',
        f'[providers.openai]\napi_key = {{ key = "{LITERAL}" }}',
        f'[server]\nkeys = ["{LITERAL}"]',
        f'[server]\nkeys = "{LITERAL}"',
        f'[providers.openai]\nheaders = {{ Authorization = "Bearer {LITERAL}" }}',
        f'[providers.openai]\nheaders = {{ x-api-key = "{LITERAL}" }}',
        f'[providers.openai]\nheaders = {{ Cookie = "{LITERAL}" }}',
        f'[providers.openai]\nbase_url = "https://user:{LITERAL}@host"',
        f'[providers.openai]\nbase_url = "https://host:{LITERAL}/v1"',
        f'[providers.openai]\napi_key = "{LITERAL}',
    ],
)
def test_a_literal_key_is_refused_and_not_repeated(text: str) -> None:
    (problem,) = problems(text, {"OPENAI_API_KEY": "k"})
    assert LITERAL not in problem
    assert problem.startswith("tailrace.toml:2: ")


def test_a_literal_key_in_a_variable_is_refused_and_not_repeated() -> None:
    (problem,) = problems("", {"TAILRACE__PROVIDERS__OPENAI__API_KEY": LITERAL})
    assert LITERAL not in problem
    assert problem.startswith("TAILRACE__PROVIDERS__OPENAI__API_KEY: ")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("env:NOWHERE", "the environment variable NOWHERE is not set"),
        ("env:EMPTY", "the environment variable EMPTY is empty"),
        ("env:BROKEN", "env:BROKEN holds characters that no key has"),
        ("env:", "must name a variable (env:NAME) or a file (file:PATH)"),
        ("file:nowhere", "cannot read nowhere: No such file or directory"),
        ("file:empty", "the file empty is empty"),
        ("file:two", "file:two holds characters that no key has"),
    ],
)
def test_a_reference_that_leads_nowhere_is_named(reference: str, message: str) -> None:
    environ = {"EMPTY": " ", "BROKEN": "a\nSecond: header"}
    (problem,) = problems(
        f'[providers.openai]\napi_key = "{reference}"', environ, files={"empty": "\n", "two": "one\ntwo"}
    )
    assert problem.startswith(f"tailrace.toml:2: providers.openai.api_key: {message}")
    assert "Second" not in problem


def test_a_broken_key_of_a_known_provider_is_reported_without_a_file() -> None:
    (problem,) = problems("", {"OPENAI_API_KEY": "kéy"})
    assert "OPENAI_API_KEY" in problem
    assert "kéy" not in problem


def test_blanks_around_a_key_are_not_part_of_it() -> None:
    provider = read('[providers.openai]\napi_key = "env:K"', {"K": " key\n"}).providers["openai"]
    assert provider.api_key is not None
    assert provider.api_key.reveal() == "key"
