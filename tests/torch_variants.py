"""Ways to compute one PyTorch training step, and what all such steps do alike."""

from __future__ import annotations

import contextlib
import dataclasses

import torch
from torch import nn
from torch.nn import functional


@dataclasses.dataclass(frozen=True)
class Variant:
    """How a step is computed; what it computes is the same in all of them.

    memory_format: order in which maps and kernels lie in memory.
    bfloat16: convolutions and products in bfloat16 by autocast; weights stay float32.
    fused: Adam in one kernel.
    compiled: the networks go through `torch.compile`.
    frozen: no gradient of the discriminator's weights in the generator's move.
    """

    memory_format: torch.memory_format = torch.contiguous_format
    bfloat16: bool = False
    fused: bool = True
    compiled: bool = False
    frozen: bool = True

    def place(self, *networks: nn.Module) -> None:
        """Put weights in order and compile; copy a network before this."""
        for network in networks:
            network.to(memory_format=self.memory_format)
            if self.compiled:
                network.compile(dynamic=False)

    def maps(self, images):
        return images.contiguous(memory_format=self.memory_format)

    def autocast(self):
        return torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16)

    def adam(self, player, rate, betas, epsilon=1e-7, weight_decay=0.0):
        """Our epsilon, which PyTorch has ten times smaller."""
        return torch.optim.Adam(
            player.parameters(), rate, betas, epsilon, weight_decay,
            fused=self.fused or None,
        )  # fmt: skip

    @contextlib.contextmanager
    def held(self, player):
        """What is computed inside asks for no gradient of the player's weights."""
        player.requires_grad_(not self.frozen)
        yield
        player.requires_grad_(True)


def move(optimizer, loss) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def take_turns(training, batch, make, judge, draw):
    """The discriminator moves, then the generator, judged by it on the same fakes.

    make() -> fakes; judge(fakes) and draw(fakes) -> the players' losses. `judge` must
    detach the fakes. Returns both losses, the discriminator's first.
    """
    variant, (drawers, judges) = training.variant, training.optimizers
    # Autocast keeps the weights it has cast, so a move has to come between two of them.
    with variant.autocast():
        made = make()
    with variant.autocast():
        judged = judge(made)
    move(judges, judged)
    with variant.held(training.discriminator), variant.autocast():
        drawn = draw(made)
    move(drawers, drawn)
    training.steps += 1
    training.follow(batch)
    return judged.detach(), drawn.detach()


@torch.no_grad()
def follow(training, batch) -> None:
    """One step of the averaged generator; a half-life of 0 leaves it out."""
    half_life = training.settings["ema_half_life_kimg"]
    if not half_life:
        return
    half_life = min(half_life, 0.05 * training.steps * batch / 1000)
    share = 1 - 0.5 ** (batch / (1000 * half_life))
    pairs = (x.state_dict() for x in (training.average, training.generator))
    torch._foreach_lerp_(*(list(x.values()) for x in pairs), share)


def batch_norm(channels, momentum=0.1, epsilon=1e-5, affine=True):
    """`momentum` is the share of what is new; Keras's is that of what is old."""
    layer = nn.BatchNorm2d(channels, epsilon, momentum, affine)
    layer.num_batches_tracked = None  # an integer, which no average is taken of
    return layer


class InstanceNorm(nn.Module):
    """Of the two ways PyTorch has, the faster one for each order in memory."""

    def forward(self, x):
        if x.is_contiguous():
            return functional.group_norm(x, x.shape[1])
        return functional.instance_norm(x)


@torch.no_grad()
def start(network, scale=0.02):
    """Kernels from N(0, scale), gains from N(1, scale), biases 0."""
    for module in network.modules():
        weight, bias = (getattr(module, x, None) for x in ("weight", "bias"))
        if weight is not None:
            nn.init.normal_(weight, float(weight.ndim == 1), scale)
        if bias is not None:
            nn.init.zeros_(bias)
