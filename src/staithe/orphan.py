"""A child process that outlives its supervisor must stop: nothing may go on unsupervised."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time

LOGGER = logging.getLogger(__name__)
POLL_SECONDS = 0.2


def stop_with(supervisor: int) -> None:
    """Watch, in the background, for the end of the process that started this one; then stop as SIGTERM does.

    Its id is handed over: if it died while this process was starting, the present parent is another already.
    """

    def watch() -> None:
        while os.getppid() == supervisor:
            time.sleep(POLL_SECONDS)
        LOGGER.warning("the supervisor is gone: stopping")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="orphan", daemon=True).start()
