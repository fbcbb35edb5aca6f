"""How the network of the default detector was trained; only `train` loads Keras.

`python -m data_prep.detectors.training.train --help` trains it again.
"""
