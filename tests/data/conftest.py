"""The drawn faces that the tests of drawing and of its views share."""

import pytest

from gan_lib.data.faces import faces

FACES = 96


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("faces")


@pytest.fixture(scope="session", params=["lorelei", "adventurer"])
def rich(request, folder):
    """A style's name and its faces with every view."""
    style = request.param
    return style, faces(
        64, FACES, style=style, include="all", cache_dir=folder, progress=False
    )


@pytest.fixture(scope="session")
def lorelei(folder):
    return faces(64, FACES, include="all", cache_dir=folder, progress=False)
