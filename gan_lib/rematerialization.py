"""Deep networks in little memory: maps are forgotten and computed again.

To learn, a network needs the maps of its pass forward once more in the pass backward.
With `GAN.compile(rematerialize=True)` each network is cut into blocks; only what goes
from block to block is kept, and a block's maps are computed again when the gradient
arrives there. Chen, Xu, Zhang and Guestrin 2016, arXiv:1604.06174, section 3: with n
layers of one size in k blocks k + n / k maps are alive, least for k = sqrt(n), for the
price of a second pass forward.

Ours differs in where it cuts: anywhere between two operations of the network's graph,
skips and all, so that
    bytes that cross a cut + bytes of the largest block
are least, by the shapes of the maps (their section 4.2 searches likewise, in chains).

Equal to the step without it, up to rounding: losses, gradients of any order (R1 and
path length forget and recompute too) and all state. The second time a block sees the
weights, spectral norms' u and seeds of dropout that it saw the first time, and what it
would write into them is dropped.

What layers must do for that, and those of Keras and gan_lib do: keep state in weights
of their own (`add_weight`), and draw random numbers with a `keras.random.SeedGenerator`
of their own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

# Sizes of the largest block that are tried, from one operation's to the network's.
TRIALS = 40


def attach(gan) -> None:
    """Make the players of a `GAN` forget their maps in training, or remember them.

    The networks inside its two players are changed in place: they get a way of their
    own to be called with `training=True`. Files, copies, inference and names are as
    before. Where it is done already nothing happens.

    Args:
        gan: its `rematerialize` says which.
    Raises: ValueError for a network whose layers cannot be seen: a `keras.Model` that
        was written as a class with its own `call`.
    """
    players = [gan.playing(player) for player in ("generator", "discriminator")]
    for network in [x for player in players for x in _innermost(player)]:
        if not gan.rematerialize:
            vars(network).pop("call", None)
        elif "call" not in vars(network):
            network.call = functools.partial(_call, network, *_plan(network))


def _innermost(network: keras.Model) -> Iterator[keras.Model]:
    """Networks that consist of layers, in a network of networks."""
    inner = [x for x in network.layers if isinstance(x, keras.Model)]
    for part in inner:
        yield from _innermost(part)
    if not inner:
        yield network


def _plan(network: keras.Model) -> tuple[keras.Model, list[_Block]]:
    """The network's graph, and the blocks it is cut into."""
    try:
        is_chain = isinstance(network, keras.Sequential)
        output = network.outputs[0] if is_chain else network.output
        graph = keras.Model(network.inputs, output)
    except (AttributeError, ValueError):
        raise ValueError(
            "Expected networks made of layers by `keras.Model(inputs, outputs)` or "
            "`keras.Sequential` with an Input, whose graph can be cut into blocks for "
            f"`rematerialize=True`. Received: {network.name!r}, a "
            f"{type(network).__name__} with a `call` of its own. Leave `rematerialize` "
            "out, or wrap blocks of that network in `keras.remat` yourself."
        ) from None
    depths = sorted(graph._nodes_by_depth, reverse=True)  # there is no public list
    nodes = [
        node
        for depth in depths
        for node in graph._nodes_by_depth[depth]
        if not node.is_input
    ]
    borders = cuts(nodes, graph.outputs)
    return graph, [
        _Block(nodes[a:b], _crossing(nodes, graph.outputs, a, b))
        for a, b in zip(borders, borders[1:], strict=False)
    ]


def cuts(nodes: Sequence, outputs: Sequence) -> list[int]:
    """Borders of the blocks: 0, positions between nodes, len(nodes).

    The minimum of (bytes kept + bytes of the largest block) by dynamic programming:
    for a largest block of at most M the fewest bytes kept up to node b are
        kept(b) = min_a kept(a) + new(a, b),  bytes of nodes a to b at most M
    with new(a, b) what these nodes make that is wanted from b on.

    Args:
        nodes: a Keras graph's, in the order of work.
        outputs: KerasTensors that the graph returns.
    """
    count = len(nodes)
    made = np.array([sum(_bytes(x) for x in node.outputs) for node in nodes], float)
    inside = np.concatenate([[0.0], np.cumsum(made)])
    new = np.zeros((count + 1, count + 1))
    last_use = _last_uses(nodes, outputs)
    for number, node in enumerate(nodes):
        for x in node.outputs:  # crosses borders after `number`, up to its last use
            new[: number + 1, number + 1 : last_use[id(x)] + 1] += _bytes(x)
    found = []
    for largest in np.geomspace(max(made.max(), 1), max(inside[-1], 1), TRIALS):
        kept, start = np.full(count + 1, np.inf), np.zeros(count + 1, int)
        kept[0] = 0
        for b in range(1, count + 1):
            # A hair more, as the rounding of the trials' ends must not forbid them.
            fits = inside[b] - inside[:b] <= 1.001 * largest
            ways = np.where(fits, kept[:b] + new[:b, b], np.inf)
            start[b], kept[b] = ways.argmin(), ways.min()
        borders = [count]
        while borders[-1]:
            borders.append(int(start[borders[-1]]))
        borders.reverse()
        found.append((kept[-1] + np.diff(inside[borders]).max(), borders))
    return min(found)[1]


def _bytes(x) -> int:
    """Of one image's share of a map; sides that are not known count as 1."""
    return int(np.prod([side or 1 for side in x.shape[1:]])) * tf.as_dtype(x.dtype).size


def _last_uses(nodes, outputs) -> dict[int, int]:
    """Position of the last node that reads each tensor, len(nodes) for the outputs."""
    uses = {id(x): number for number, node in enumerate(nodes) for x in node.outputs}
    uses |= {
        id(x): number for number, node in enumerate(nodes) for x in node.input_tensors
    }
    return uses | {id(x): len(nodes) for x in outputs}


def _crossing(nodes, outputs, first: int, end: int) -> list:
    """Tensors made by nodes first to end that are wanted from `end` on."""
    last_use = _last_uses(nodes, outputs)
    made = [x for node in nodes[first:end] for x in node.outputs]
    return [x for x in made if last_use[id(x)] >= end]


class _Block(keras.layers.Layer):
    """A run of a graph's nodes as one layer: [tensors it needs] -> [those it gives].

    As a layer it hands `training` on to the layers inside, also to those that get it
    from their surroundings only, in the pass backward as in the pass forward.
    """

    def __init__(self, nodes: Sequence, gives: Sequence):
        # Each layer inside knows what to cast.
        super().__init__(autocast=False, name=f"block_to_{nodes[-1].operation.name}")
        made = {id(x) for node in nodes for x in node.outputs}
        needs = {
            id(x): x for node in nodes for x in node.input_tensors if id(x) not in made
        }
        self.nodes, self.needs, self.gives = tuple(nodes), [*needs], [*map(id, gives)]
        operations = {id(node.operation): node.operation for node in nodes}.values()
        self.parts = [x for x in operations if isinstance(x, keras.layers.Layer)]
        self.built = True

    def call(self, inputs, training=None):
        tensors = dict(zip(self.needs, inputs, strict=True))
        for node in self.nodes:
            args, kwargs = node.arguments.fill_in(tensors)
            kwargs.pop("training", None)  # of the day when the graph was made
            outputs = keras.tree.flatten(node.operation(*args, **kwargs))
            tensors |= dict(zip(map(id, node.outputs), outputs, strict=True))
        return [tensors[key] for key in self.gives]


def _call(network, graph, blocks, inputs, training=None, mask=None):
    """`network.call`, block by block in training."""
    if not training:
        return type(network).call(network, inputs, training=training, mask=mask)
    tensors = {
        id(x): keras.ops.convert_to_tensor(value, dtype=x.dtype)
        for x, value in zip(graph.inputs, keras.tree.flatten(inputs), strict=True)
    }
    for block in blocks:
        outputs = _forget(block, [tensors[key] for key in block.needs])
        tensors |= dict(zip(block.gives, outputs, strict=True))
    outputs = [tensors[id(x)] for x in graph.outputs]
    outputs = keras.tree.pack_sequence_as(graph.output, outputs)
    is_single = isinstance(outputs, (list, tuple)) and len(outputs) == 1
    return outputs[0] if is_single else outputs


def _forget(block: _Block, inputs: Sequence) -> Sequence:
    """The block's outputs in training; its maps are forgotten, its state moves on."""
    learned, state = block.trainable_variables, block.non_trainable_variables
    # `value` would come in the compute dtype of the network that we are inside of.
    weights, before = (
        [tf.convert_to_tensor(x._value) for x in part] for part in (learned, state)
    )
    after: list = []

    def compute(inputs, weights):
        mapping = zip([*learned, *state], [*weights, *before], strict=True)
        with keras.StatelessScope(mapping) as scope:
            outputs = block(inputs, training=True)
        after[:] = [scope.get_current_value(x) for x in state]
        return outputs

    outputs = forgetful(compute)(inputs, weights)
    for variable, old, new in zip(state, before, after, strict=True):
        if new is not old:
            variable.assign(new)
    return outputs


def forgetful(function: Callable) -> Callable:
    """A function that keeps its arguments only, and is computed again for a gradient.

    Its gradient for `inputs` is such a function too, so gradients of that gradient (R1,
    path length) forget as well. (`tf.recompute_grad` has no second gradient.)

    Args:
        function: (inputs, weights), two lists of tensors -> list of float tensors.
            Without side effects; it must not use other weights.
    Returns: the same function, for any tape.
    """

    def forget(inputs: Sequence, weights: Sequence):
        count = len(inputs)

        @tf.custom_gradient
        def compute(*inputs_and_weights):
            inputs, weights = inputs_and_weights[:count], inputs_and_weights[count:]

            def gradient(*upstream):
                of_weights = []

                def backward(inputs_and_upstream, weights):
                    inputs, upstream = (
                        inputs_and_upstream[:count],
                        inputs_and_upstream[count:],
                    )
                    inputs = _not_before(upstream, inputs)
                    # Of their own, as a tape cannot watch tensors of the graph around
                    # a condition's gradient.
                    weights = [tf.identity(x) for x in weights]
                    with tf.GradientTape(watch_accessed_variables=False) as tape:
                        tape.watch([inputs, weights])
                        outputs = function(inputs, weights)
                    sources = [*inputs, *weights]
                    found = tape.gradient(outputs, sources, upstream, "zero")
                    of_weights[:] = found[count:]
                    return found[:count]

                # Not among the outputs: who asks for the slope in the inputs only
                # would pay for the gradient of zeros with respect to all of them.
                of_inputs = forgetful(backward)([*inputs, *upstream], weights)
                return (*of_inputs, *of_weights)

            return function(inputs, weights), gradient

        return compute(*inputs, *weights)

    return forget


def _not_before(upstream: Sequence, inputs: Sequence) -> list:
    """The inputs, but only after what comes from above is there.

    Otherwise TensorFlow could compute both passes at once, or find that they are the
    same and keep the first one's maps after all. So they are multiplied by a 1 that is
    made of those numbers; XLA would not heed a control dependency.
    """
    firsts = [tf.reshape(x, [-1])[:1] for x in upstream if x.dtype.is_floating]
    zeros = [tf.reduce_sum(tf.minimum(tf.abs(x), 0)) for x in firsts]
    one = tf.stop_gradient(1 + tf.add_n([tf.cast(x, tf.float32) for x in zeros]))
    return [x * tf.cast(one, x.dtype) if x.dtype.is_floating else x for x in inputs]
