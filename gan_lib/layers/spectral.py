"""Spectral normalization: layers whose kernel has largest singular value 1."""

from __future__ import annotations

import keras

from gan_lib.layers.computed_kernel import ComputedKernel
from gan_lib.layers.convolution import Conv2D, UpsampleConv2D, _finish

# As in the authors' code; keeps a kernel of zeros from dividing by zero.
SMALLEST_NORM = 1e-12


class _Spectral(ComputedKernel):
    """The part that both layers share, to stand before a Keras layer with `kernel`."""

    kernel: keras.Variable
    compute_dtype: str

    def build(self, input_shape):
        super().build(input_shape)
        self.u = self.add_weight(
            name="u",
            shape=(self.kernel.shape[-1],),
            initializer=_random_unit,
            trainable=False,
            autocast=False,
        )

    def add_weight(self, *args, name=None, **kwargs):
        if name == "kernel":  # sigma is measured in float32 under mixed precision too
            kwargs["autocast"] = False
        return super().add_weight(*args, name=name, **kwargs)

    def normalized_kernel(self, training: bool):
        """W / sigma in the compute dtype; in training `u` takes one step first."""
        kernel = keras.ops.convert_to_tensor(self.kernel)
        rows = keras.ops.reshape(kernel, (-1, kernel.shape[-1]))  # (h w C, filters)
        u = keras.ops.convert_to_tensor(self.u)
        v = _unit(keras.ops.matmul(keras.ops.stop_gradient(rows), u))
        product = keras.ops.matmul(v, rows)  # the gradient of W enters here alone
        if training:
            u = _unit(keras.ops.stop_gradient(product))
            self.u.assign(u)
        sigma = keras.ops.sum(product * u)
        scale = 1 / keras.ops.maximum(sigma, SMALLEST_NORM)
        return keras.ops.cast(kernel * scale, self.compute_dtype)


def _unit(vector):
    """The vector at length 1."""
    norm = keras.ops.sqrt(keras.ops.sum(keras.ops.square(vector)))
    return vector / keras.ops.maximum(norm, SMALLEST_NORM)


def _random_unit(shape, dtype=None):
    return _unit(keras.initializers.RandomNormal(0, 1)(shape, dtype))


@keras.saving.register_keras_serializable("gan_lib")
class SpectralConv2D(_Spectral, Conv2D):
    """A convolution with the kernel W / sigma(W), W being what is learned and saved.

    sigma = v^T W u,  v <- W u / ||W u||,  u <- W^T v / ||W^T v||
    Miyato et al. 2018, algorithm 1 and equations (11) and (12), arXiv:1802.05957,
    with W as a matrix (h w C, filters). One power iteration a training call; after a
    few, sigma is W's largest singular value. u and v are constants for the gradient,
    W is not, so dL/dW = (dL/dW' - <dL/dW', W'> v u^T) / sigma with W' = W / sigma
    (equation 12): at right angles to W.
    Ours differs from `keras.layers.SpectralNormalization`, which writes W / sigma over
    W and has no gradient through sigma.

    Arguments are those of `keras.layers.Conv2D`. Without training (`training=False`)
    u stays as it is. u (filters,) is saved with the model. Statistics are in float32.
    Input shape: (B, H, W, C). Output shape: (B, H', W', filters).
    """

    def call(self, inputs, training=False):
        kernel = self.normalized_kernel(training)
        return _finish(self, self.convolution_op(inputs, kernel))


@keras.saving.register_keras_serializable("gan_lib")
class SpectralUpsampleConv2D(_Spectral, UpsampleConv2D):
    """`UpsampleConv2D` with the kernel W / sigma(W), as `SpectralConv2D`.

    The norm is that of the kernel as it is learned, before twins are merged: the
    result is nearest-neighbour upsampling by 2, then a `SpectralConv2D`.
    Input shape: (B, H, W, C). Output shape: (B, 2H, 2W, filters).
    """

    def call(self, inputs, training=False):
        return self.upsample_with(inputs, self.normalized_kernel(training))


@keras.saving.register_keras_serializable("gan_lib")
class SpectralDense(_Spectral, keras.layers.Dense):
    """`keras.layers.Dense` with the kernel W / sigma(W), as `SpectralConv2D`.

    Arguments are those of `keras.layers.Dense`. u (units,) is saved with the model.
    Input shape: (B, ..., C). Output shape: (B, ..., units).
    """

    def call(self, inputs, training=False):
        outputs = keras.ops.matmul(inputs, self.normalized_kernel(training))
        if self.use_bias:
            outputs = outputs + keras.ops.convert_to_tensor(self.bias)
        return outputs if self.activation is None else self.activation(outputs)
