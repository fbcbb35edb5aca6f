"""One check for each exercise of the lessons.

A check takes the learner's function and gives back the one the lesson goes on with:

    discriminator_loss = checks.discriminator_loss(discriminator_loss)

- right: it says so and returns the learner's function;
- still open (returns None or ..., or raises NotImplementedError): it says so and
  returns gan_lib's function, so that the lesson does not stop. With the environment
  variable GAN_STRICT=1, which instructors set, an open exercise is an error;
- wrong: AssertionError, with what was expected, what came and, where the answer is one
  of the usual mistakes, which one.
"""

from gan_lib.checks.biggan import hinge, projection, redraw, told_norm
from gan_lib.checks.dataset import in_validation, iou
from gan_lib.checks.dcgan import (
    discriminator_loss,
    ema_update,
    generator_loss,
    optimal_discriminator,
    slerp,
)
from gan_lib.checks.machines import (
    accumulated_gradient,
    combine_statistics,
    conv_flops,
)
from gan_lib.checks.pix2pix import best_constant, paired_loss, receptive_field
from gan_lib.checks.progan import critic_loss, fade, minibatch_stddev
from gan_lib.checks.stylegan import mix, modulated_convolution, truncate
from gan_lib.checks.ugatit import activation_map, adalin, cycle_and_identity

__all__ = [
    "accumulated_gradient",
    "activation_map",
    "adalin",
    "best_constant",
    "combine_statistics",
    "conv_flops",
    "critic_loss",
    "cycle_and_identity",
    "discriminator_loss",
    "ema_update",
    "fade",
    "generator_loss",
    "hinge",
    "in_validation",
    "iou",
    "minibatch_stddev",
    "mix",
    "modulated_convolution",
    "optimal_discriminator",
    "paired_loss",
    "projection",
    "receptive_field",
    "redraw",
    "slerp",
    "told_norm",
    "truncate",
]
