"""How hard the property tests try.

By default each runs a fixed sequence of examples, so that a run is repeatable. A nightly run tries sixty times as
many, at random, and STAITHE_PROPERTY_FACTOR=N so many times: what it finds, hypothesis keeps and tries first in the
next run.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from tests.support.nightly import effort

FACTOR = int(os.environ.get("STAITHE_PROPERTY_FACTOR", effort("times the examples of each property")))
SUPPRESSED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]


def examples(count: int, **more: int) -> settings:
    """Settings of a test that tries so many examples."""
    return settings(
        max_examples=count * FACTOR,
        deadline=None,
        derandomize=FACTOR == 1,
        suppress_health_check=SUPPRESSED,
        **more,
    )
