"""What `--staging` takes when it names a bucket."""

from __future__ import annotations

import pytest

from staithe.domain.errors import Failure, ValidationFailed
from staithe.staging.bucket import BucketAddress, read_bucket_address

VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION")
FORM = "Must be s3://BUCKET/PREFIX, perhaps with ?NAME=VALUE&... behind it."


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's own."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("text", "root", "options"),
    [
        ("s3://bucket", "bucket", {}),
        ("s3://bucket/", "bucket", {}),
        ("s3://bucket/a/b/", "bucket/a/b", {}),
        ("s3://bucket//a%20b?region=eu-west-1", "bucket/a b", {"region": "eu-west-1"}),
        (
            "s3://bucket/a?endpoint_override=127.0.0.1:9000&scheme=http",
            "bucket/a",
            {"endpoint_override": "127.0.0.1:9000", "scheme": "http"},
        ),
        (
            "s3://bucket?endpoint_override=http%3A%2F%2Fminio%3A9000%2F",
            "bucket",
            {"endpoint_override": "minio:9000", "scheme": "http"},
        ),
        ("s3://key:se%2Fcret@bucket", "bucket", {"access_key": "key", "secret_key": "se/cret"}),
    ],
)
def test_an_address_is_a_bucket_a_prefix_and_options(text: str, root: str, options: dict[str, str]) -> None:
    assert read_bucket_address(text) == BucketAddress(root, options)


def test_the_usual_variables_say_where_the_object_store_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio:9000")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    expected = {"endpoint_override": "minio:9000", "scheme": "http", "region": "eu-west-1"}
    assert read_bucket_address("s3://bucket").options == expected
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://other:9000")
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    expected = {"endpoint_override": "other:9000", "scheme": "https", "region": "eu-west-2"}
    assert read_bucket_address("s3://bucket").options == expected
    own = "s3://bucket?endpoint_override=third:1&scheme=http&region=eu-west-3"
    assert read_bucket_address(own).options == {
        "endpoint_override": "third:1",
        "scheme": "http",
        "region": "eu-west-3",
    }


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("gs://bucket/a", FORM),
        ("s3://", FORM),
        ("s3:///a", FORM),
        ("s3://bucket:9000/a", FORM),
        ("s3://bucket/a#b", FORM),
        ("s3://bucket?region", FORM),
        (
            "s3://bucket?colour=red",
            "Must have no parameter colour: it takes endpoint_override, region, scheme, tls_ca_file_path.",
        ),
    ],
)
def test_anything_else_is_refused(text: str, rule: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        read_bucket_address(text)
    assert caught.value.failures == (Failure("--staging", rule, text),)


def test_a_secret_is_not_shown() -> None:
    with pytest.raises(ValidationFailed) as caught:
        read_bucket_address("s3://key:secret@bucket?colour=red")
    assert caught.value.failures[0].value == "bucket?colour=red"
    address = read_bucket_address("s3://key:secret@bucket/a")
    assert "secret" not in repr(address)
    assert str(address) == "s3://bucket/a"
