"""Names of the classes of a BigGAN module; see `gan_lib.hub`."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from gan_lib.data.download import Offline


def class_names(folder: Path, num_classes: int) -> list[str]:
    """Names of a module's classes, in their order.

    Read from assets/classes.txt in the module's folder, a name on each line. A module
    of 1000 classes without this file is taken to have ImageNet's (ILSVRC 2012); their
    names, one for each without synonyms, are those that Keras downloads once.

    Raises:
        ValueError: it has neither, or the file has another number of names.
        ConnectionError: Keras has no copy yet, and there is no internet.
    """
    path = folder / "assets" / "classes.txt"
    if path.is_file():
        names = path.read_text("utf-8").splitlines()
        if len(names) != num_classes:
            raise ValueError(
                f"{path} should hold a name on each line for {num_classes} classes, "
                f"but has {len(names)} lines."
            )
        return names
    if num_classes != 1000:
        raise ValueError(
            f"The names of these {num_classes} classes are not known: write them into "
            f"{path}, one on each line."
        )
    falling = np.arange(1000.0, 0.0, -1.0)[None]  # as scores: class 0 comes first
    try:
        (rows,) = keras.applications.imagenet_utils.decode_predictions(falling, 1000)
    except Exception as error:  # Keras raises bare exceptions here
        text = " ".join(str(error).split())[:200]
        raise Offline(
            "Keras reads ImageNet's class names from a small file, which is not here "
            f"and could not be fetched ({text}). Check the internet connection and "
            f"call again, or write the names into {path}, one on each line. Sampling "
            "by class id needs no names."
        ) from error
    return [name.replace("_", " ") for _, name, _ in rows]
