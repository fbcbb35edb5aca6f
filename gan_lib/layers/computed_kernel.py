"""Layers whose kernel is computed from what is learned."""

from __future__ import annotations

from collections.abc import Callable

import keras


class ComputedKernel:
    """To stand before a Keras layer that uses another kernel than it learns."""

    from_config: Callable[[dict], keras.Layer]

    # The Keras layers have a list of their own, with the kernel as it is used.
    def save_own_variables(self, store):
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store):
        keras.layers.Layer.load_own_variables(self, store)

    @classmethod
    def stock(cls, config: dict) -> keras.Layer:
        """Itself: Keras has no such layer."""
        return cls.from_config(config)
