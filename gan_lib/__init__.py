"""Keras layers, losses and training for the GAN notebooks.

Importing it registers our layers with Keras, so that saved models open.
"""

import warnings

from gan_lib.runs import run_dir

try:
    from gan_lib import layers, optimizers  # noqa: F401
except ModuleNotFoundError as error:
    # `python -m gan_lib info` must be able to say what is missing.
    if (error.name or "").startswith("gan_lib"):
        raise
    warnings.warn(
        f"gan_lib needs {error.name}, which is not installed. "
        "`python -m gan_lib info` lists what is missing.",
        stacklevel=2,
    )

__version__ = "0.1.0"
__all__ = ["__version__", "run_dir"]
