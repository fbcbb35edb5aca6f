"""A generator as a notebook leaves it, for the tests of the demo."""

from __future__ import annotations

import pytest
from demo_drawings import overlay

from gan_lib import export


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """The folder of an exported generator."""
    folder = tmp_path_factory.mktemp("exported")
    export.save(overlay(), folder)
    return folder
