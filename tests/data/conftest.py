"""The drawn faces that the tests of drawing and of its views share."""

import pytest

from gan_lib.data.faces import faces


@pytest.fixture(scope="session")
def count():
    """How many faces are drawn."""
    return 96


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("faces")


@pytest.fixture(scope="session", params=["lorelei", "adventurer"])
def rich(request, folder, count):
    """A style's name and its faces with every view."""
    style = request.param
    return style, faces(
        64, count, style=style, include="all", cache_dir=folder, progress=False
    )


@pytest.fixture(scope="session")
def lorelei(folder, count):
    return faces(64, count, include="all", cache_dir=folder, progress=False)
