"""What is said about a wrong configuration, and where."""

from __future__ import annotations

import pytest

from tailrace.config import schema
from tests.config.reading import problems, read

BOX = '[providers.box]\ndialect = "openai_chat"\nbase_url = "http://box"\n'

ONE_PROBLEM = [
    ("[server]\nprot = 1", "tailrace.toml:2: server.prot: unknown key (did you mean 'port'?)"),
    ("[sever]\nport = 1", "tailrace.toml:1: sever: unknown key (did you mean 'server'?)"),
    (
        "zzz = 1",
        "tailrace.toml:1: zzz: unknown key; there are: server, keys, providers, routes, limits, log, ledger, logging",
    ),
    ("[log]\nbackend = 'disk'", "tailrace.toml:2: log.backend: there is no such backend here; there are: 'memory', '"),
    ("[log]\nbackend = 'redis'", 'tailrace.toml:1: log: backend = "redis" needs a url'),
    ("[log]\nurl = 'http://redis'", "tailrace.toml:2: log.url: must be an address like redis://localhost:6379/0"),
    ("[log]\nurl = 'redis://:canary@redis'", "tailrace.toml:2: log.url: holds a password: give it as env:NAME or"),
    ("[log]\nmaster = 'm'", "tailrace.toml:1: log: sentinels and master need each other"),
    ("[log]\nsentinels = ['a']\nmaster = 'm'", "tailrace.toml:2: log.sentinels[0]: must be host:port, like redis-1"),
    ("[log]\ndurability = 'D4'", "tailrace.toml:2: log.durability: must be 'D0', 'D1', 'D2' or 'D3'"),
    ("[log]\nlease = 0", "tailrace.toml:2: log.lease: must be greater than or equal to 1"),
    ("[ledger]\nbackend = 'disk'", "tailrace.toml:2: ledger.backend: must be 'sqlite' or 'none'"),
    ("[ledger]\npath = ''", "tailrace.toml:2: ledger.path: "),
    ("[ledger]\nsynchronous = 'off'", "tailrace.toml:2: ledger.synchronous: must be 'normal' or 'full'"),
    ("[logging]\nlevel = 'loud'", "tailrace.toml:2: logging.level: must be 'debug', 'info', 'warning' or 'error'"),
    ("server = 1", "tailrace.toml:1: server: must be a table"),
    ("providers = 1", "tailrace.toml:1: providers: must be a table"),
    ("[providers]\nopenai = 1", "tailrace.toml:2: providers.openai: must be a table"),
    ("[server]\nport = 70000", "tailrace.toml:2: server.port: must be less than or equal to 65535"),
    ("[limits]\n\nttl = -1", "tailrace.toml:3: limits.ttl: must be greater than or equal to 0"),
    ("[limits]\nttl = inf", "tailrace.toml:2: limits.ttl: must be a finite number"),
    ("[limits]\nlow_water = 99999", "tailrace.toml:1: limits: low_water must not be greater than high_water"),
    ("[server]\nallowed_hosts = ['a:80']", "tailrace.toml:2: server.allowed_hosts[0]: must be a host name or an IP"),
    ("[server]\ncors_origins = ['a.com']", "tailrace.toml:2: server.cors_origins[0]: must be an origin like"),
    ("[providers.x]\nbase_url = 'http://x'", "tailrace.toml:1: providers.x.dialect: is required"),
    (BOX + "quirks.eof = true", "tailrace.toml:4: providers.box.quirks.eof: unknown key"),
    ("[providers.'a/b']\ndialect = 'plain'\nbase_url = 'http://x'", "tailrace.toml:1: providers.a/b.[key]: a name has"),
    (BOX.replace("openai_chat", "openai-chat"), "tailrace.toml:2: providers.box.dialect: must be one of "),
    (BOX.replace("http://box", "box"), "tailrace.toml:3: providers.box.base_url: must be an address like https://"),
    (BOX.replace("http://box", "http://u:p@box"), "tailrace.toml:3: providers.box.base_url: must not hold a user name"),
    (BOX.replace("http://box", "http://box/?a=1"), "tailrace.toml:3: providers.box.base_url: must end with its path"),
    (BOX.replace("http://box", "http://box:x/"), "tailrace.toml:3: providers.box.base_url: must be an address like"),
    (BOX + "headers.Host = 'x'", "tailrace.toml:4: providers.box.headers: 'Host' is not a header that can be set"),
    (BOX + "headers.'a b' = 'x'", "tailrace.toml:4: providers.box.headers: 'a b' is not a header that can be set"),
    (BOX + 'headers.X = "a\\nb"', "tailrace.toml:4: providers.box.headers: the value of X has characters"),
    (BOX + "[routes.r]\ntargets = []", "tailrace.toml:5: routes.r.targets: "),
    (BOX + "[routes.r]\ngrace = 1", "tailrace.toml:4: routes.r.targets: is required"),
    (BOX + "[routes.r]\ntargets = ['m']", "tailrace.toml:5: routes.r.targets[0]: must be provider/model, like"),
    (BOX + "[routes.r]\ntargets = ['bx/m']", "tailrace.toml:5: routes.r.targets[0]: names the provider 'bx', which"),
    (
        BOX + "[routes.r]\ntargets = ['box/m']\ndeadlines = { idel = 1 }",
        "tailrace.toml:6: routes.r.deadlines.idel: unk",
    ),
    ("a = 1\na = 2", "tailrace.toml:2: not valid TOML: Cannot overwrite a value"),
    ("[server\n", "tailrace.toml:1: not valid TOML: "),
    ("a = 'x", "tailrace.toml:1: not valid TOML: "),
]


@pytest.mark.parametrize(("text", "message"), ONE_PROBLEM, ids=[message for _, message in ONE_PROBLEM])
def test_a_mistake_is_named_with_its_line(text: str, message: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith(message)


def test_all_mistakes_are_reported_at_once_in_the_order_of_their_lines() -> None:
    text = """
[limits]
ttl = -1
[server]
prot = 1
[providers.openai]
api_key = "sk-literal"
[routes.fast]
targets = ["opnai/m"]
"""
    found = problems(text, {"TAILRACE__LOGGING__LEVEL": "loud", "TAILRACE__SRVER__PORT": "1"})
    assert [problem.split(": ")[0] for problem in found] == [
        "TAILRACE__SRVER__PORT",
        "TAILRACE__LOGGING__LEVEL",
        "tailrace.toml:3",
        "tailrace.toml:5",
        "tailrace.toml:7",
        "tailrace.toml:9",
    ]


VARIABLES = [
    ("TAILRACE__SRVER__PORT", "1", "no such section (did you mean 'SERVER'?)"),
    ("TAILRACE__", "1", "no such section"),
    ("TAILRACE__SERVER__", "1", "no such section"),
    ("TAILRACE__SERVER__PROT", "1", "server.prot: unknown key (did you mean 'port'?)"),
    ("TAILRACE__SERVER__PORT", "eighty", "server.port: must be a valid integer"),
    ("TAILRACE__SERVER__KEYS", "[1", "is not valid JSON"),
    ("TAILRACE__SERVER", "x", "server: must be a table"),
    ("TAILRACE__ROUTES__R__TARGETS", "", "routes.r.targets: "),
]


@pytest.mark.parametrize(("variable", "value", "message"), VARIABLES)
def test_a_mistake_in_a_variable_is_named_by_the_variable(variable: str, value: str, message: str) -> None:
    (problem,) = problems("[limits]\nttl = 1", {variable: value})
    assert problem.startswith(f"{variable}: {message}")


def test_a_variable_below_something_that_is_no_table_leaves_the_file_to_be_blamed() -> None:
    (problem,) = problems("server = 1", {"TAILRACE__SERVER__PORT": "1"})
    assert "server: must be a table" in problem


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TAILRACE__ROUTES__MY_ROUTE__TARGETS", "box/b, box/c"),
        ("TAILRACE__ROUTES__MY_ROUTE__TARGETS", '["box/b", "box/c"]'),
        ("tailrace__routes__my_route__targets", "box/b,box/c"),
        ("TAILRACE__ROUTES__MY_ROUTE", '{"targets": ["box/b", "box/c"]}'),
    ],
)
def test_a_variable_reaches_a_name_with_a_hyphen_and_lists(variable: str, value: str) -> None:
    settings = read(BOX + "[routes.My-Route]\ntargets = ['box/a']", {variable: value})
    assert [target.model for target in settings.routes["My-Route"].targets] == ["b", "c"]


def test_a_provider_can_come_from_variables_alone() -> None:
    settings = read("", {"TAILRACE__PROVIDERS__OPENAI__BASE_URL": "http://x/v1", "OPENAI_API_KEY": "k"})
    assert settings.providers["openai"].base_url == "http://x/v1"


def test_the_schema_for_editors_knows_every_table_and_refuses_unknown_keys() -> None:
    found = schema()
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    tables = [found, *found["$defs"].values()]
    assert all(table["additionalProperties"] is False for table in tables)
    assert set(found["properties"]) == {"server", "keys", "providers", "routes", "limits", "log", "ledger", "logging"}
    key = found["$defs"]["ProviderTable"]["properties"]["api_key"]
    assert key["pattern"] == "^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$"
