"""How a request is spoilt: in its path, query, headers, its body as JSON or as bytes, or in the bytes on the wire."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, Final
from urllib.parse import quote

from tests.fuzz.seeds import Request

TEXTS: Final = (
    "",
    " ",
    "0",
    "1",
    "2",
    "-1",
    "00",
    "1e400",
    "-0.0",
    "NaN",
    "9" * 400,
    str(2**31),
    str(2**63),
    str(2**64),
    "true",
    "null",
    "\0",
    "\ud800",
    "ÿ",
    "é" * 1000,
    "\u202e\ufeff",
    "😀" * 50,
    "\r\nX: y",
    "../../etc/passwd",
    "' OR 1=1 --",
    '"',
    "\\",
    "%",
    "%%%_[a-",
    "*" * 200,
    "a" * 40_000,
    "(" * 3000,
    "{{" * 300,
    "{{Contact.Id}}",
    "{{Contact.Field(C_EmailAddress)}}",
    "{{Contact.Field(" + "x" * 300 + ")}}",
    "{{ContactList[99999999999999999999]}}",
    "{{Action(00000000000000000000000000000000)}}",
    "/contacts/syncActions/1",
    "/contacts/exports/1",
    "/syncs/1",
    "http://127.0.0.1:1/",
    "0000-00-00",
    "9999-12-31T23:59:59.9999999Z",
    "P7D",
    "PT99999999999H",
    "name=n*",
    "name>",
    "createdAt>2020-01-01",
    "NOT " * 500 + "1=1",
    "' ~ '%a%a%a%a%a%a%a%[b]'",
    "1 and (2 or " * 100,
)
"""What stands in place of a value; some are right in one place and wrong in all others."""

VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    1e308,
    2**63,
    2**70,
    [],
    {},
    [[]],
    {"": None},
    [None] * 300,
)
HEADER_VALUES: Final = (
    b"",
    b"0",
    b"-1",
    b"9" * 50,
    b"\xff\xfe",
    b"a" * 5000,
    b"*/*;q=1e400",
    b"text/csv;q=nan, application/json;q=-1",
    b"application/json; charset=" + b"x" * 200,
    b"application/json; charset=utf-16",
    b"multipart/form-data",
    b"gzip, gzip",
    b"deflate",
    b"identity",
    b"chunked",
    b"bytes=0-1",
    b"Basic",
    b"Basic \xff",
    b"Basic ====",
    b"Basic YTpi",
    b"Bearer ",
    b"Bearer " + b"a" * 3000,
    b"Digest x",
    b"100-continue",
    b'W/"x", *',
    b"close, keep-alive",
    b"websocket",
    b"127.0.0.1, [::1]:80, unknown",
    b'for=_x;proto=https;host="a b"',
    b"https",
    b"evil.example",
    b"00-" + b"0" * 32 + b"-" + b"f" * 16 + b"-01",
)
HEADERS: Final = (
    "Accept",
    "Accept-Encoding",
    "Authorization",
    "Content-Encoding",
    "Content-Type",
    "Cookie",
    "Forwarded",
    "Idempotency-Key",
    "If-None-Match",
    "Origin",
    "Range",
    "Referer",
    "Traceparent",
    "Upgrade",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Http-Method-Override",
    "X-Request-Id",
    "X" * 300,
)
FRAMING: Final = ("Connection", "Content-Length", "Expect", "Host", "Transfer-Encoding")
"""Headers that say where a request ends, or who it is for: the connection may end with such a one."""

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "OPTIONS", "TRACE", "BREW")
QUERIES: Final = (
    "limit",
    "offset",
    "q",
    "orderBy",
    "totalResults",
    "depth",
    "count",
    "page",
    "search",
    "links",
    "lastUpdatedAt",
    "x",
)
OTHER_IDS: Final = ("0", "2", "3", "9", "10")
"""Not 1, which most requests ask for: it must not be deleted."""
NESTING: Final = (5, 60, 200, 900, 3000, 30_000)
PIECES: Final = (
    b"\0",
    b'"',
    b"'",
    b",",
    b"\n",
    b"\r",
    b"{",
    b"[",
    b"}",
    b"\\",
    b"\\u",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"1e9999",
    b"9" * 5000,
    b":",
)
PIECE_BYTES: Final = 50

Spoil = Callable[[Random, Request], Request]


def some_text(chance: Random) -> str:
    return chance.choice(TEXTS)


def spoil_path(chance: Random, request: Request) -> Request:
    """Another segment, spelling or method."""
    segments = request.path.split("/")
    at = chance.randrange(1, len(segments))
    what = chance.randrange(5)
    if what == 0:
        return replace(request, method=chance.choice(METHODS))
    if what == 1:
        return replace(request, path=request.path.swapcase() + "/" * chance.randrange(3))
    if what == 2:
        segments.insert(at, chance.choice(("", ".", "..", "%2e%2e", "%2F", ";a=b")))
    elif what == 3:
        segments[at] = quote(some_text(chance), safe="", errors="surrogatepass")
    else:
        segments[at] = chance.choice(OTHER_IDS)
    return replace(request, path="/".join(segments))


def spoil_query(chance: Random, request: Request) -> Request:
    """Another parameter, or another value of one."""
    query = list(request.query)
    pair = (chance.choice(QUERIES), some_text(chance))
    if query and chance.random() < 0.5:
        query[chance.randrange(len(query))] = pair
    else:
        query.append(pair)
    return replace(request, query=tuple(query))


def spoil_header(chance: Random, request: Request) -> Request:
    """One header more, or in the place of another."""
    name, value = chance.choice(HEADERS), chance.choice(HEADER_VALUES)
    kept = [header for header in request.headers if header[0] != name or chance.random() < 0.3]
    return replace(request, headers=(*kept, (name, value)))


def spoil_json(chance: Random, request: Request) -> Request:
    """Something else at one place of a body of JSON."""
    try:
        tree = json.loads(request.body)
    except (ValueError, RecursionError):
        return spoil_bytes(chance, request)
    places = list(places_of(tree))
    holder, key = chance.choice(places) if places else ({"": tree}, "")
    what = chance.randrange(7)
    if what == 0:
        del holder[key]
    elif what == 1:
        holder[key] = [holder[key]] * chance.choice((1, 2, 40))
    elif what == 2 and isinstance(holder, dict):
        holder[some_text(chance)] = holder.pop(key)
    elif what == 3:
        holder[key] = chance.choice(VALUES)
    elif what == 4:
        return replace(request, body=nested(chance, tree))
    elif what == 5:
        text = json.dumps(tree)
        return replace(request, body=text.replace("{", '{"name":1,"fields":{},', 1).encode())
    else:
        holder[key] = some_text(chance)
    return replace(request, body=json.dumps(tree, ensure_ascii=chance.random() < 0.5).encode(errors="surrogatepass"))


def nested(chance: Random, tree: Any) -> bytes:
    """A body within very many others."""
    depth = chance.choice(NESTING)
    opening, closing = chance.choice((("[", "]"), ('{"fields":', "}"), ('{"a":[', "]}")))
    return (opening * depth + json.dumps(tree) + closing * depth).encode()


def places_of(tree: Any) -> list[tuple[Any, Any]]:
    """Every (holder, key) of a tree."""
    keys = tree.keys() if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    found: list[tuple[Any, Any]] = []
    for key in keys:
        found += [(tree, key), *places_of(tree[key])]
    return found


def spoil_bytes(chance: Random, request: Request) -> Request:
    """Other bytes within the body."""
    return replace(request, body=spoilt(chance, request.body))


def spoilt(chance: Random, content: bytes) -> bytes:
    """Bytes of which some are changed, missing, doubled or new."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 5, 30))):
        at = chance.randrange(len(changed) + 1)
        end = min(at + chance.randrange(PIECE_BYTES), len(changed))
        what = chance.randrange(5)
        if what == 0:
            changed[at:at] = chance.choice(PIECES)
        elif what == 1:
            del changed[at:end]
        elif what == 2:
            changed[at:at] = changed[at:end] * chance.choice((1, 3, 200))
        elif what == 3 and at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
        else:
            changed[at:end] = some_text(chance).encode(errors="surrogatepass")
    return bytes(changed)


def spoil_gzip(chance: Random, request: Request) -> Request:
    """A body of gzip, seldom a whole one."""
    packed = gzip.compress(request.body, mtime=0)
    body = packed if chance.random() < 0.3 else spoilt(chance, packed)
    return replace(request, headers=(*request.headers, ("Content-Encoding", b"gzip")), body=body)


IN_PARTS: Final[tuple[Spoil, ...]] = (
    spoil_path,
    spoil_query,
    spoil_header,
    spoil_json,
    spoil_json,
    spoil_json,
    spoil_bytes,
    spoil_gzip,
)


def spoil(chance: Random, request: Request) -> Request:
    """A request that is spoilt in one part, or in a few."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        request = chance.choice(IN_PARTS)(chance, request)
    return request


def written(request: Request, login: str, host: str) -> bytes:
    """The bytes of a request; what a URL or header must not have is written as it is where HTTP allows it."""
    query = "&".join(f"{name}={quote(value, safe='', errors='surrogatepass')}" for name, value in request.query)
    target = request.path + (f"?{query}" if query else "")
    headers = [("Host", host.encode()), *request.headers, ("Content-Length", str(len(request.body)).encode())]
    if not any(name == "Authorization" for name, _ in request.headers):
        headers.append(("Authorization", login.encode()))
    head = f"{request.method} {target} HTTP/1.1\r\n".encode(errors="surrogatepass")
    return head + b"".join(name.encode() + b": " + value + b"\r\n" for name, value in headers) + b"\r\n" + request.body


def spoil_framing(chance: Random, content: bytes) -> bytes:
    """The bytes of a request, with another of the headers that say where it ends, or changed anywhere."""
    if chance.random() < 0.5:
        return spoilt(chance, content)
    line_end = content.index(b"\r\n") + 2
    header = chance.choice(FRAMING).encode() + b": " + chance.choice(HEADER_VALUES) + b"\r\n"
    return content[:line_end] + header + content[line_end:]
