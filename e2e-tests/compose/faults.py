"""What is done to a container. Each returns the moment (monotonic) from which its recovery counts."""

import os
import signal
import time
from collections.abc import Callable

from stack import Stack

HOLD = 3.0  # seconds that a fault lasts which does not end by itself


def kill(stack: Stack, name: str) -> float:
    """Crash its process; the engine brings it back, which it would not after `docker kill`, an order to stop."""
    container = stack.container(name)
    began = time.monotonic()
    os.kill(container.attrs["State"]["Pid"], signal.SIGKILL)
    return began


def pause(stack: Stack, name: str) -> float:
    """Freeze it for a while: it is there, takes connections and does not answer."""
    container = stack.container(name)
    container.pause()
    time.sleep(HOLD)
    container.unpause()
    return time.monotonic()


def restart(stack: Stack, name: str) -> float:
    """Stop it in order and start it again."""
    began = time.monotonic()
    stack.container(name).restart(timeout=30)
    return began


def disconnect(stack: Stack, name: str) -> float:
    """Take it off all its networks for a while."""
    container = stack.container(name)
    networks = [stack.engine.networks.get(network) for network in container.attrs["NetworkSettings"]["Networks"]]
    for network in networks:
        network.disconnect(container)
    time.sleep(HOLD)
    for network in networks:
        network.connect(container, aliases=[name])
    return time.monotonic()


FAULTS: dict[str, Callable[[Stack, str], float]] = {
    "kill": kill,
    "pause": pause,
    "restart": restart,
    "disconnect": disconnect,
}
