"""Adam in one fused kernel a variable."""

from __future__ import annotations

import keras
import tensorflow as tf

from gan_lib.layers import cpu_kernels


@keras.saving.register_keras_serializable("gan_lib")
class Adam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` with each update in a single kernel.

    m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2
    w <- w - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon)
    Kingma and Ba 2015, end of section 2, arXiv:1412.6980.

    Arguments, state and results are those of `keras.optimizers.Adam`. Keras writes
    the update as about ten operations that each read and write the whole variable;
    here it is one, which matters on networks whose step is short. Sparse gradients and
    `amsgrad` take the Keras path.

    Args:
        l2: lambda of a penalty lambda / 2 |w|^2 on every weight, as a term of the
            gradient, g <- g + lambda w: what PyTorch's Adam calls `weight_decay`.
            Keras's `weight_decay` is another thing: it shrinks w beside the update
            (Loshchilov and Hutter 2019, algorithm 2, arXiv:1711.05101), which at a
            rate of 1e-4 is ten thousand times weaker.
        The rest: those of `keras.optimizers.Adam`.
    """

    def __init__(self, *args, l2: float = 0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.l2 = l2

    def get_config(self):
        return {**super().get_config(), "l2": self.l2}

    def update_step(self, gradient, variable, learning_rate):
        if self.l2:
            gradient += self.l2 * keras.ops.cast(variable, gradient.dtype)
        if (
            self.amsgrad
            or not cpu_kernels.tuned()
            or not isinstance(gradient, tf.Tensor)
        ):
            super().update_step(gradient, variable, learning_rate)
            return
        target = getattr(variable, "value", variable)
        target = variable if isinstance(variable, tf.Variable) else target
        index = self._get_variable_index(variable)
        # With gradient accumulation `iterations` is a tensor, not a variable.
        step = tf.cast(tf.convert_to_tensor(self.iterations) + 1, target.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=target.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.constant(self.beta_1, target.dtype), step),
            beta2_power=tf.pow(tf.constant(self.beta_2, target.dtype), step),
            lr=tf.cast(learning_rate, target.dtype),
            beta1=tf.constant(self.beta_1, target.dtype),
            beta2=tf.constant(self.beta_2, target.dtype),
            epsilon=tf.constant(self.epsilon, target.dtype),
            grad=tf.cast(gradient, target.dtype),
            use_locking=True,
        )


def lazy_adam(rate: float, every: int = 0) -> Adam:
    """Adam(rate, beta_1=0, beta_2=0.99, epsilon=1e-8), of ProGAN and its heirs.

    Where a penalty comes in one of `every` steps, k, the player moves as if for k + 1
    losses in k steps: c = k / (k + 1), rate c and beta_2^c (Karras et al. 2020,
    appendix B, arXiv:1912.04958). 0: no such penalty, c = 1.
    """
    slowed = every / (every + 1) if every else 1.0
    return Adam(rate * slowed, beta_1=0.0, beta_2=0.99**slowed, epsilon=1e-8)


@keras.saving.register_keras_serializable("gan_lib")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that stays, then falls in a straight line to 0.

    rate(t) = rate min(1, (end - t) / (end - start)), at least 0, with t the thousands
    of images seen before this step: half of the training at the full rate and half on
    the way down, in CycleGAN (Zhu et al. 2017, section 4, arXiv:1703.10593) and
    U-GAT-IT. It is computed from the optimizer's own count of steps, so a resumed
    training goes on where it was. Ours differs: they step down once an epoch.

    Args:
        rate: the learning rate at the start.
        start_kimg, end_kimg: when it begins to fall, and when it is 0.
        batch_size: images a step.
    Raises: ValueError unless 0 <= start_kimg < end_kimg.
    """

    def __init__(
        self, rate: float, start_kimg: float, end_kimg: float, batch_size: int
    ):
        if not 0 <= start_kimg < end_kimg:
            raise ValueError(
                "Expected 0 <= `start_kimg` < `end_kimg`. Received: "
                f"{start_kimg} and {end_kimg}"
            )
        self.rate, self.batch_size = rate, batch_size
        self.start_kimg, self.end_kimg = start_kimg, end_kimg

    def __call__(self, step):
        seen = keras.ops.cast(step, "float32") * self.batch_size / 1000
        left = (self.end_kimg - seen) / (self.end_kimg - self.start_kimg)
        return self.rate * keras.ops.clip(left, 0.0, 1.0)

    def get_config(self):
        names = ("rate", "start_kimg", "end_kimg", "batch_size")
        return {name: getattr(self, name) for name in names}


def ready(optimizer, network: keras.Model):
    """The optimizer (None: DCGAN's), with loss scaling if needed, slots made."""
    optimizer = optimizer or Adam(2e-4, beta_1=0.5)
    policies = {layer.dtype_policy.name for layer in _flat_layers(network)}
    if "mixed_float16" in policies and not isinstance(
        optimizer, keras.optimizers.LossScaleOptimizer
    ):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(network.trainable_variables)
    return optimizer


def _flat_layers(network) -> list[keras.layers.Layer]:
    """All layers, those of networks inside the network included."""
    inner = getattr(network, "layers", [])
    return [network] if not inner else [x for i in inner for x in _flat_layers(i)]
