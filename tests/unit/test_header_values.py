"""How values of headers are read: weights, parameters, quotes."""

from __future__ import annotations

import pytest

from staithe.http.header_values import choose_media_type, read_parameters, read_weights, split_list

JSON, CSV = "application/json", "text/csv"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("text/*", CSV),
        ("application/*", JSON),
        ("text/csv, */*", CSV),
        ("text/csv, application/json", CSV),
        ("application/json, text/csv", JSON),
        ("application/json;q=0.5, text/csv;q=0.6", CSV),
        ("text/csv;q=0.5, */*;q=0.6", JSON),
        ("text/*;q=0.9, text/csv;q=0.1, application/json;q=0.5", JSON),
        ("application/json;q=0, */*", CSV),
        ("text/csv;q=0, */*", JSON),
        ("text/csv;q=0", JSON),
        ("*/*;q=0, text/csv;q=0.001", CSV),
        ("image/png", JSON),
        ("text/csv; header=present", CSV),
        ('text/csv;note="a,b;q=0";q=0.9, application/json;q=0.8', CSV),
        # Malformed: the weight counts as left out, and what is no range is passed over.
        ("text/csv;q=1e400", CSV),
        ("text/csv;q=nan, application/json;q=0.9", CSV),
        ("text/csv;q=-1", CSV),
        ("text/csv;q=", CSV),
        (",,;q, ;;, =", JSON),
        ('"text/csv', JSON),
    ],
)
def test_the_media_type_that_is_wanted_most(accept: str, chosen: str) -> None:
    assert choose_media_type(accept, (JSON, CSV)) == chosen


def test_parameters_without_their_quotes() -> None:
    header = 'for="[2001:db8::1]:80"; Proto=HTTPS; host="a\\"b;c,d" , for=x'
    first, second = split_list(header)
    assert read_parameters("first; " + first) == (
        "first",
        {"for": "[2001:db8::1]:80", "proto": "HTTPS", "host": 'a"b;c,d'},
    )
    assert read_parameters(second) == ("for=x", {})
    assert read_parameters('text/csv ; charset="UTF-8"') == ("text/csv", {"charset": "UTF-8"})


@pytest.mark.parametrize("text", ['"' * 60_001, '"\\' * 30_000, '"\\"' * 20_000, "a;" * 30_000, "a," * 30_000])
def test_no_header_takes_long_to_read(text: str) -> None:
    """Time that grows with the square of the length would be minutes here; the test's time limit ends it then."""
    assert all(weight == 1.0 for _, weight in read_weights(text))
