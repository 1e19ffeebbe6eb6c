"""Renders the overlays; every test of manifests runs once for each."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from manifests import Manifests, kustomize


@pytest.fixture(scope="session")
def render():
    """Return a function that renders an overlay, once."""
    command = kustomize()
    if command is None:
        pytest.skip("neither kubectl nor kustomize with components is installed")
    rendered: dict[str, Manifests] = {}

    def one(overlay: str) -> Manifests:
        if overlay not in rendered:
            rendered[overlay] = Manifests.render(command, overlay)
        return rendered[overlay]

    return one


@pytest.fixture(params=["dev", "production"])
def taskyard(render, request):
    """An overlay with the processes of Taskyard."""
    return render(request.param)


@pytest.fixture(params=["dev", "production", "data"])
def overlay(render, request):
    """An overlay, whatever is in it."""
    return render(request.param)
