"""The latch that stops a process: a signal handler sets it, whatever the main thread is doing."""

from __future__ import annotations

import subprocess
import sys
import threading

from staithe.stop_latch import StopLatch
from tests.support.waiting import LONGEST_SECONDS

# A handler that needs a lock of the thread it interrupts never returns: with a threading.Event this does not end well.
INTERRUPTED = """
import signal
from staithe.stop_latch import StopLatch

latch = StopLatch()
signals = 0

def handle(*_):
    global signals
    signals += 1
    latch.set()
    latch.was_set = False  # so that it is looked at in earnest, again and again

signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
while signals < 1000:
    latch.wait(0)
    latch.is_set()
signal.setitimer(signal.ITIMER_REAL, 0)
print(signals >= 1000)
"""


def test_a_signal_handler_sets_it_amid_any_step_of_the_main_thread() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "True\n", "")


def test_it_wakes_everybody_who_waits_now_or_later() -> None:
    latch = StopLatch()
    assert (latch.is_set(), latch.wait(0)) == (False, False)
    woken: list[bool] = []
    waiting = [threading.Thread(target=lambda: woken.append(latch.wait(LONGEST_SECONDS))) for _ in range(8)]
    for thread in waiting:
        thread.start()
    latch.set()
    for thread in waiting:
        thread.join(LONGEST_SECONDS)
    assert woken == [True] * 8
    assert (latch.is_set(), latch.wait(LONGEST_SECONDS)) == (True, True)
    latch.close()
    latch.set()
