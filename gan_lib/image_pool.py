"""A memory of earlier fakes, so that the discriminator does not forget them."""

from __future__ import annotations

import keras
import tensorflow as tf


class ImagePool(keras.layers.Layer):
    """Gives back a fake just made or, as often, one made some time ago.

    While there is room a fake is kept and given back. Then, with probability 1/2, a
    random kept one is given back and the new one takes its place; otherwise the new
    one is given back and not kept (Shrivastava et al. 2017, section 2.3,
    arXiv:1612.07828; Zhu et al. 2017, section 4, arXiv:1703.10593, with 50).
    A picture that holds a number that is not finite is given back and never kept.

    Only the discriminator is shown pictures from the pool. The pool is a weight: it
    lives on the device and belongs to a training's state.

    Args:
        size: pictures kept, at least 1 (paper: 50).
        image_shape: (H, W, C).
    Raises: ValueError on a size below 1.
    """

    def __init__(self, size: int, image_shape: tuple[int, int, int], **kwargs):
        super().__init__(trainable=False, dtype="float32", **kwargs)
        if size < 1:
            raise ValueError(
                f"Expected a pool of at least 1 picture. Received: {size}. For a "
                "training without a pool pass `pool_size=0` to the model."
            )
        self.size = size
        shapes = {"images": (size, *image_shape), "count": ()}
        for name, shape in shapes.items():
            dtype = "int32" if name == "count" else "float32"
            weight = self.add_weight(
                name=name, shape=shape, dtype=dtype, initializer="zeros",
                trainable=False, aggregation="only_first_replica",
            )  # fmt: skip
            setattr(self, name, weight)
        self.built = True

    def call(self, images, numbers):
        """Pictures (B, H, W, C) for new fakes of that shape.

        Args:
            images: float32, B of them known when the graph is made.
            numbers: float32 (B, 2), uniform on [0, 1): whether and which.
        """
        return tf.stack(
            [self._exchange(image, *tf.unstack(number))
             for image, number in zip(
                 tf.unstack(images), tf.unstack(numbers, images.shape[0]), strict=True)]
        )  # fmt: skip

    def _exchange(self, image, coin, which):
        count = self.count.value
        full = count >= self.size
        place = tf.where(full, tf.cast(which * self.size, tf.int32), count)
        old = self.images.value[tf.minimum(place, self.size - 1)]
        swap = full & (coin < 0.5)
        keep = (swap | ~full) & tf.reduce_all(tf.math.is_finite(image))

        def store():
            self.images.value.scatter_nd_update([[place]], [image])
            self.count.assign(tf.minimum(count + 1, self.size))

        # `old` must be read before the new picture takes its place.
        with tf.control_dependencies([old]):
            tf.cond(keep, store, lambda: None)
        return tf.where(swap, old, image)
