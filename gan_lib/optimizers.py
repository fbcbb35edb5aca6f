"""Adam in one fused kernel a variable."""

from __future__ import annotations

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("gan_lib")
class Adam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` with each update in a single kernel.

    m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2
    w <- w - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon)
    Kingma and Ba 2015, end of section 2, arXiv:1412.6980.

    Arguments, state and results are those of `keras.optimizers.Adam`. Keras writes
    the update as about ten operations that each read and write the whole variable;
    here it is one, which matters on networks whose step is short. Sparse gradients,
    `amsgrad` and distribution strategies take the Keras path.
    """

    def update_step(self, gradient, variable, learning_rate):
        if (
            self.amsgrad
            or not isinstance(gradient, tf.Tensor)
            or tf.distribute.has_strategy()
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
