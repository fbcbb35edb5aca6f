"""How often images are augmented: a fixed chance, or one that follows overfitting.

Karras et al. 2020, arXiv:2006.06676 ("ADA"). The changes themselves are in
`gan_lib.augmentation`.
"""

from __future__ import annotations

import numbers
from collections.abc import Collection

import keras
import tensorflow as tf

from gan_lib import augmentation
from gan_lib.randomness import Draws


class Augmentation(keras.layers.Layer):
    """Changes what the discriminator sees; the chance can adapt to how it does.

    A discriminator that learns a small set of images by heart calls nearly all of them
    real. With r, the mean of sign(D(x)) over augmented real images of `every` steps
    (Karras et al. 2020, section 3, equation 1, arXiv:2006.06676):
        p <- clip(p + sign(r - target) every B / (1000 speed_kimg), 0, 1)
    after each `every` steps of B images. Ours differs: the authors' code has no upper
    bound; above 1 every image is changed, and p takes the longer to come back. The sign
    is that of D(x) minus the loss's `middle` (`gan_lib.losses.LossPair`): for losses
    whose logits have a middle, which those of a Wasserstein critic have not.

    The chance and the running mean are weights, so they belong to a training's state.
    A fixed chance has none. One object serves one model.

    Args:
        probability: p at the start, in [0, 1].
        target: of r, in (-1, 1) (paper: 0.6); None: p stays as it is.
        speed_kimg: thousands of real images in which p goes from 0 to 1 at most
            (paper: 500; the authors' code takes 100 to fine-tune).
        every: steps between two changes of p (paper: 4).
        transforms: names of the changes, see `gan_lib.augmentation.augment`.
    Raises: ValueError on values outside these ranges, or an unknown transform.
    """

    def __init__(
        self,
        probability: float = 0.0,
        *,
        target: float | None = None,
        speed_kimg: float = 500.0,
        every: int = 4,
        transforms: Collection[str] = augmentation.TRANSFORMS,
    ):
        super().__init__(name="augmentation", trainable=False, dtype="float32")
        for name, wanted, fits, value in (
            ("probability", "in [0, 1]", 0 <= probability <= 1, probability),
            ("target", "between -1 and 1", -1 < (target or 0) < 1, target),
            ("speed_kimg", "above 0", speed_kimg > 0, speed_kimg),
            ("every", "of at least 1", every >= 1, every),
        ):
            if not fits:
                raise ValueError(f"Expected `{name}` {wanted}. Received: {value}")
        augmentation.check_transforms(transforms)
        self.probability, self.target = float(probability), target
        self.speed_kimg, self.every, self.transforms = speed_kimg, every, transforms
        if target is not None:
            self.adaptive_probability = self._weight("probability", probability)
            # The mean over the replicas of a `tf.distribute` strategy.
            self.signs = self._weight("signs", 0.0, aggregation="mean")
            self.steps = self._weight("steps", 0, dtype="int32")
        self.built = True

    def _weight(self, name, value, dtype="float32", aggregation="only_first_replica"):
        return self.add_weight(
            name=name,
            shape=(),
            dtype=dtype,
            initializer=keras.initializers.Constant(value),
            trainable=False,
            aggregation=aggregation,
        )

    @property
    def log_names(self) -> tuple[str, ...]:
        """What `follow` has to log: p and r."""
        if self.target is None:
            return ()
        return "augment_probability", "augment_sign"

    def change(self, images, draws: Draws, name: str) -> tf.Tensor:
        """The images, augmented with the chance as it stands; see `augment`."""
        chance = self.probability
        if self.target is not None:
            chance = tf.convert_to_tensor(self.adaptive_probability.value)
        return augmentation.augment(
            images, chance, draws, name=name, transforms=self.transforms
        )

    def follow(self, real_logits, middle: float = 0.0, replicas: int = 1) -> dict:
        """Adapt the chance to what a step said of augmented reals; what to log of it.

        Args:
            real_logits: float (B, ...).
            middle: of the loss, see `gan_lib.losses.LossPair`.
            replicas: as many as see a batch of their own at once.
        Returns: float32 scalars by their names in `log_names`.
        """
        if self.target is None:
            return {}
        # Two comparisons: the sign of a NaN would be NaN, and so would p for ever.
        above, below = (
            tf.reduce_mean(tf.cast(x, "float32"))
            for x in (real_logits > middle, real_logits < middle)
        )
        self.signs.assign_add(above - below)
        self.steps.assign_add(1)
        due = self.steps.value % self.every == 0
        signs = tf.convert_to_tensor(self.signs.value)
        images = tf.cast(tf.shape(real_logits)[0] * self.every * replicas, "float32")
        step = tf.sign(signs / self.every - self.target) * images
        step /= 1000 * self.speed_kimg
        chance = self.adaptive_probability.value + tf.where(due, step, 0.0)
        self.adaptive_probability.assign(tf.clip_by_value(chance, 0.0, 1.0))
        self.signs.assign(tf.where(due, 0.0, signs))
        logged = tf.convert_to_tensor(self.adaptive_probability.value), above - below
        return dict(zip(self.log_names, logged, strict=True))


def attach(gan, augment: str | float | Augmentation | None) -> None:
    """Give a `GAN` the augmentation asked for by `compile`, or take one away.

    Raises: ValueError on another word or number, or a model of more than one picture.
    """
    gan.memory.pop("augmentation", None)
    gan.augmentation, gan.log_names = None, type(gan).log_names
    if augment is None:
        return
    if len(gan.batch_names) > 1:
        raise ValueError(
            f"Expected no `augment`: a batch of {type(gan).__name__} holds "
            f"{' and '.join(gan.batch_names)}, and each would be changed by itself. "
            "Leave it out, or augment a model that makes images from latents."
        )
    if augment == "ada":
        augment = Augmentation(target=0.6)
    elif isinstance(augment, numbers.Real) and not isinstance(augment, bool):
        augment = Augmentation(augment)
    elif not isinstance(augment, Augmentation):
        raise ValueError(
            'Expected `augment` to be "ada", a chance in [0, 1], a '
            f"`gan_lib.adaptive.Augmentation` or None. Received: {augment!r}"
        )
    gan.augmentation = gan.memory["augmentation"] = augment
    gan.log_names = (*gan.log_names, *augment.log_names)
