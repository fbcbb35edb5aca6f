"""Keras layers, losses and training for the GAN notebooks.

Importing it registers our layers with Keras, so that saved models open.
"""

from gan_lib import layers, optimizers
from gan_lib.runs import run_dir

__version__ = "0.1.0"
__all__ = ["__version__", "layers", "optimizers", "run_dir"]
