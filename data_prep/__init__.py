"""From pictures found anywhere to a set of faces that a GAN can learn from.

Nothing is imported here: worker processes load one module and must start fast, and no
module of this package loads TensorFlow.
"""
