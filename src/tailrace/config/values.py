"""What a single value of a configuration must be: names, addresses, targets, keys by reference.

Each check raises ``ValueError`` with a sentence that follows the key's name; none repeats what may be a key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from tailrace.config.secrets import PATTERN, Read, is_reference, is_sensitive_header, resolve
from tailrace.dialects import DIALECTS
from tailrace.engine import Secret, Target
from tailrace.server import DOOR_NAMES


class Surroundings(NamedTuple):
    """What validation needs beside the document: the environment, a way to read files, the providers there are.

    ``secrets`` collects all that references lead to. ``named_keys`` is whether the document has ``[keys.NAME]`` tables.
    """

    environ: Mapping[str, str]
    read: Read
    providers: tuple[str, ...]
    secrets: list[Secret]
    named_keys: bool = False

    def resolve(self, reference: object) -> Secret:
        """Return the secret that ``reference`` leads to, and remember that it is one; raises ``ValueError``."""
        secret = resolve(reference, self.environ, self.read)
        self.secrets.append(secret)
        return secret


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Names of providers and routes. No slash: ``provider/model`` is cut at the first one."""

_DIGEST = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9_])?")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2, token
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")

# aiohttp writes these itself, or a second one would change where the message ends (RFC 9112 section 6.3).
_FRAMING_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})


def listed(value: Any) -> Any:
    """Let a variable say ``a, b`` for a list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _secret(value: Any, info: ValidationInfo[Surroundings]) -> Secret:
    return info.context.resolve(value)


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError("a name has letters, digits, '.', '_' and '-' only, and at most 64 of them")
    return value


def _base_url(value: str) -> str:
    try:
        url = urlsplit(value)
        port_is_right = url.port != 0
    except ValueError:
        port_is_right = False
        url = urlsplit("")
    if not port_is_right or url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError("must be an address like https://api.example.com/v1")
    if url.username or url.password:
        raise ValueError("must not hold a user name or password: use api_key or headers")
    if url.query or url.fragment:
        raise ValueError("must end with its path: no ? and no #")
    return value.rstrip("/")


def _dialect(value: str) -> str:
    if value not in DIALECTS:
        raise ValueError(f"must be one of {', '.join(sorted(DIALECTS))}")
    return value


def _target(value: Any, info: ValidationInfo[Surroundings]) -> Target:
    here = info.context
    provider, slash, model = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not (provider and slash and model):
        raise ValueError("must be provider/model, like openai/gpt-5-mini")
    if provider not in here.providers:
        known = ", ".join(here.providers) or "none"
        raise ValueError(f"names the provider {provider!r}, which is not configured (there is: {known})")
    return Target(provider, model)


def _host(value: str) -> str:
    if not _HOST.fullmatch(value) and _address(value) is None:
        raise ValueError("must be a host name or an IP address, without a port")
    return value


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    except ValueError:
        return None


def _redis_url(value: Any, info: ValidationInfo[Surroundings]) -> Secret:
    referred = isinstance(value, str) and is_reference(value)
    text = info.context.resolve(value).reveal() if referred else str(value)
    try:
        url = urlsplit(text)
        usable = url.scheme in {"redis", "rediss"} and url.port != 0
    except ValueError:
        raise ValueError("must be an address like redis://localhost:6379/0") from None
    if not usable:
        raise ValueError("must be an address like redis://localhost:6379/0 (rediss:// with TLS)")
    if not referred and (url.password or "password" in url.query):
        raise ValueError("holds a password: give it as env:NAME or file:PATH")
    return Secret(text)


def _host_and_port(value: Any) -> tuple[str, int]:
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not (colon and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError("must be host:port, like redis-1.internal:26379")
    return _host(host).strip("[]"), int(port)


def _digest(value: str) -> str:
    if not _DIGEST.fullmatch(value):
        raise ValueError("must be 64 hexadecimal digits: the SHA-256 of the key, as `tailrace keys new` prints it")
    return value.lower()


def _door(value: str) -> str:
    if value != "*" and value not in DOOR_NAMES:
        raise ValueError(f'must be "*" or one of {", ".join(sorted(DOOR_NAMES))}')
    return value


def _origin(value: str) -> str:
    if value == "*":
        return value
    url = urlsplit(value)
    if url.scheme not in {"http", "https"} or not url.hostname or url.path or url.query or url.fragment:
        raise ValueError('must be an origin like https://chat.example.com (or "*")')
    return value


_reference_schema = WithJsonSchema({"type": "string", "pattern": PATTERN})
_target_schema = WithJsonSchema({"type": "string", "pattern": "^[^/]+/.+$"})

Name: TypeAlias = Annotated[str, AfterValidator(_name)]
DialectName: TypeAlias = Annotated[str, AfterValidator(_dialect)]
BaseUrl: TypeAlias = Annotated[str, AfterValidator(_base_url)]
SecretReference: TypeAlias = Annotated[Any, BeforeValidator(_secret), _reference_schema]
TargetName: TypeAlias = Annotated[Any, BeforeValidator(_target), _target_schema]
Host: TypeAlias = Annotated[str, AfterValidator(_host)]
RedisUrl: TypeAlias = Annotated[Any, BeforeValidator(_redis_url), WithJsonSchema({"type": "string"})]
HostAndPort: TypeAlias = Annotated[Any, BeforeValidator(_host_and_port), WithJsonSchema({"type": "string"})]
Digest: TypeAlias = Annotated[str, AfterValidator(_digest)]
DoorName: TypeAlias = Annotated[str, AfterValidator(_door)]
Origin: TypeAlias = Annotated[str, AfterValidator(_origin)]
Seconds: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(gt=0)]


def header(name: str, value: str, here: Surroundings) -> str:
    """Return the value of a request header, with the key in it where it names one."""
    if not _HEADER_NAME.fullmatch(name) or name.lower() in _FRAMING_HEADERS:
        raise ValueError(f"{name!r} is not a header that can be set")
    if is_reference(value):
        return here.resolve(value).reveal()
    if is_sensitive_header(name):
        raise ValueError(f"{name} usually carries a key: give it as env:NAME or file:PATH")
    if not _HEADER_VALUE.fullmatch(value):
        raise ValueError(f"the value of {name} has characters that no header may have")
    return value
