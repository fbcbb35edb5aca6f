"""Data: drawn faces, your own folders, public sets by name.

Nothing is imported here: `gan_lib.data.faces` is used by worker processes,
which must start fast and so must not load TensorFlow.
"""
