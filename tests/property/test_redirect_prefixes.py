"""Redirect addresses below a prefix against a naive reading of URLs: whatever is let through leads nowhere else."""

from __future__ import annotations

import posixpath
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staithe.domain.errors import ValidationFailed
from staithe.domain.redirect_prefixes import ANSWER, check_redirect_prefix, is_below
from tests.property.effort import examples

PREFIXES = ("https://app.example.com/callback", "http://127.0.0.1:4000/eloqua/done", "https://[::1]:9/a.b/c~d")
PIECES = st.sampled_from(
    (
        *(
            "/",
            "/",
            "/",
            "//",
            "..",
            ".",
            "/../",
            "/./",
            "..;",
            "%2e",
            "%2E%2e",
            "%252e",
            "%2f",
            "%2F",
            "%5c",
            "\\",
            "%25",
        ),
        *("?", "?", "#", "@", ":", ";", "&", "=", "code", "STATE", "error", "c%6fde", "code[]", "x", "7", "a-b", "%20"),
        *("%", "%zz", "%00", "%0d%0a", "é", "\t", "\n", " ", '"', "<", ".evil.example", "@evil.example/", "installId"),
    )
)
ADDED = st.lists(PIECES, max_size=8).map("".join)
WORDS = st.text("abcXYZ019-_~", min_size=1, max_size=12)


@given(prefix=st.sampled_from(PREFIXES), added=ADDED)
@examples(500)
def test_nothing_below_a_prefix_leads_elsewhere(prefix: str, added: str) -> None:
    uri = prefix + added
    if not is_below(prefix, uri):
        return
    registered, parts, as_browsers = urlsplit(prefix), urlsplit(uri), httpx.URL(uri)
    assert parts[:2] == registered[:2]
    assert (as_browsers.scheme, as_browsers.netloc.decode()) == (registered.scheme, registered.netloc)
    assert "@" not in parts.netloc
    assert "#" not in uri
    assert not set(uri) & set('\\ \t\n\r"<>')
    assert uri.isascii()
    for path in (parts.path, unquote(parts.path), unquote(unquote(parts.path)), as_browsers.path):
        plain = "/".join(segment.partition(";")[0] for segment in path.replace("\\", "/").split("/"))
        normal = posixpath.normpath(plain)
        assert normal == registered.path or normal.startswith(registered.path + "/"), path
    names = {name.lower().partition("[")[0] for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    assert not names & ANSWER


@given(
    prefix=st.sampled_from(PREFIXES),
    segments=st.lists(WORDS, max_size=3),
    query=st.dictionaries(WORDS.map("x".__add__), WORDS, max_size=2),
)
@examples(150)
def test_what_apps_add_is_let_through(prefix: str, segments: list[str], query: dict[str, str]) -> None:
    added = "".join(f"/{segment}" for segment in segments)
    asked = "?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else ""
    assert is_below(prefix, prefix + added + asked)
    assert is_below(prefix, f"{prefix}{added}/{asked}")


@given(prefix=st.sampled_from(PREFIXES), other=st.sampled_from(PREFIXES), cut=st.integers(1, 12), added=WORDS)
@examples(150)
def test_another_beginning_is_not_below(prefix: str, other: str, cut: int, added: str) -> None:
    assert not is_below(prefix, prefix + added)
    assert not is_below(prefix, prefix[:-cut] + "/" + added)
    assert not is_below(prefix, prefix.replace("://", "://x@") + "/" + added)
    assert not is_below(prefix, prefix.upper() + "/" + added)
    assert is_below(prefix, f"{other}/{added}") is (prefix == other)


@pytest.mark.parametrize(
    "prefix",
    [
        *("", "app.example.com/x", "https://app.example.com", "https://app.example.com/", "https://app.example.com/x/"),
        *("https://app.example.com/x?y=1", "https://app.example.com/x?", "https://app.example.com/x#", "https:///x"),
        *("https://ann@app.example.com/x", "https://app.example.com/x/../y", "https://app.example.com/%2e%2e"),
        *("https://app.example.com/x\\y", "https://app.example.com//x", "https://app.example.com/x\n", "ftp://a.b/x"),
        *(
            "com.example.app:/done",
            "javascript://a.b/x",
            "https://app.example.com:99999/x",
            "https://a.b/" + "x" * 2000,
        ),
    ],
)
def test_what_is_no_prefix(prefix: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        check_redirect_prefix(prefix)
    assert refused.value.failures[0].field == "redirect-prefix"


def test_what_is_a_prefix() -> None:
    for prefix in PREFIXES:
        check_redirect_prefix(prefix)
