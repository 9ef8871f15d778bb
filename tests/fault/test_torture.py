"""Processes are killed at random moments while clients work. `make torture` does it a thousand times."""

from __future__ import annotations

import random

import pytest

from tests.fault.conftest import StartServer
from tests.fault.torture import Torture


@pytest.mark.timeout(0)
def test_nothing_is_lost_halved_or_doubled_whatever_is_killed(start: StartServer, rounds: int, seed: int) -> None:
    print(f"replay with --torture-rounds {rounds} --torture-seed {seed}")
    torture = Torture(start, random.Random(seed))
    for number in range(1, rounds + 1):
        try:
            torture.play(number)
        except BaseException as error:
            error.add_note(f"in round {number} of --torture-seed {seed}, after killing {torture.killed[-5:]}")
            error.add_note("the server said:\n" + "".join(torture.server.lines[-40:]))
            raise
    assert torture.server.stop() == 0
