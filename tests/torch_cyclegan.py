"""CycleGAN's generator, image pool and training step, written plainly in PyTorch.

Layers and settings are those of `gan_lib.models.cyclegan`.
"""

from __future__ import annotations

import copy
import random

import torch
import torch_variants
from torch import nn
from torch.nn import functional
from torch_pix2pix import Discriminator, instance_norm
from torch_variants import InstanceNorm, Variant


def conv(before, after, size):
    return [nn.ReflectionPad2d(size // 2), nn.Conv2d(before, after, size)]


def activate():
    return [InstanceNorm(), nn.ReLU(True)]


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        first, second = conv(width, width, 3), conv(width, width, 3)
        self.layers = nn.Sequential(*first, *activate(), *second, InstanceNorm())

    def forward(self, x):
        return x + self.layers(x)


class Generator(nn.Module):
    def __init__(self, blocks=6, width=64):
        super().__init__()
        layers = [*conv(3, width, 7), *activate()]
        for before in (width, 2 * width):
            layers += [nn.Conv2d(before, 2 * before, 3, 2, 1), *activate()]
        layers += [Residual(4 * width) for _ in range(blocks)]
        for before in (4 * width, 2 * width):
            up = nn.ConvTranspose2d(before, before // 2, 3, 2, 1, output_padding=1)
            layers += [up, *activate()]
        self.layers = nn.Sequential(*layers, *conv(width, 3, 7))

    def forward(self, images):
        """Pictures (B, 3, S, S) of one domain -> pictures of the other."""
        return self.layers(images).float().tanh()


class Pool:
    """Gives back fakes (B, 3, S, S), or with probability 1/2 ones from before."""

    def __init__(self, size=50):
        self.size, self.images = size, []
        self.random = random.Random(0)

    def __call__(self, images):
        given = []
        for image in images.detach():
            if len(self.images) < self.size:
                self.images.append(image)
            elif self.random.random() < 0.5:
                place = self.random.randrange(self.size)
                image, self.images[place] = self.images[place], image
            given.append(image)
        return torch.stack(given)


class Training:
    """One step a call: `gan_lib.models.cyclegan` as published.

    A translation and an identity share a call; both players move at once.
    """

    follow = torch_variants.follow

    def __init__(self, image_size, memory_format, blocks=6, width=64,
                 ema_half_life_kimg=0.5, **switches):  # fmt: skip
        self.variant, self.steps = Variant(memory_format, **switches), 0
        self.settings = {"ema_half_life_kimg": ema_half_life_kimg}
        self.generator = nn.ModuleList(Generator(blocks, width) for _ in "ab")
        self.discriminator = nn.ModuleList(
            Discriminator(3, width, instance_norm) for _ in "ab"
        )
        players = self.generator, self.discriminator
        for player in players:
            torch_variants.start(player)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.average.to(memory_format=memory_format)
        self.variant.place(*self.generator, *self.discriminator)
        self.optimizers = [self.variant.adam(p, 2e-4, (0.5, 0.999)) for p in players]
        self.pools = Pool(), Pool()

    def make(self, pair):
        """{name: (of A, of B)}: fakes, pictures there and back, and ones kept."""
        (a, b), (a_to_b, b_to_a) = pair, self.generator
        fake_b, same_b = a_to_b(torch.cat([a, b])).chunk(2)
        fake_a, same_a = b_to_a(torch.cat([b, a])).chunk(2)
        again = b_to_a(fake_b), a_to_b(fake_a)
        return {"fake": (fake_a, fake_b), "again": again, "same": (same_a, same_b)}

    def distance(self, images, label):
        """Mean squares of what each discriminator's logits miss the label by."""
        pairs = zip(self.discriminator, images, strict=True)
        return sum((judge(x) - label).square().mean() for judge, x in pairs)

    def drawn(self, pair, made):
        def difference(name):
            pairs = zip(made[name], pair, strict=True)
            return sum(functional.l1_loss(*images) for images in pairs)

        ties = difference("again") + 0.5 * difference("same")
        return self.distance(made["fake"], 1.0) + 10 * ties

    def judged(self, pair, made):
        shown = [pool(x) for pool, x in zip(self.pools, made["fake"], strict=True)]
        shown = [self.variant.maps(x) for x in shown]
        return (self.distance(pair, 1.0) + self.distance(shown, 0.0)) / 2

    def __call__(self, *pair):
        """Pictures (B, 3, S, S) of A and of B -> losses, the discriminators' first."""
        pair = [self.variant.maps(images) for images in pair]
        drawers, judges = self.optimizers
        with self.variant.autocast():
            made = self.make(pair)
            with self.variant.held(self.discriminator):
                drawn = self.drawn(pair, made)
        # Before the other loss, so that gradients of the discriminators, where they
        # are not frozen, are thrown away.
        drawers.zero_grad()
        drawn.backward()
        with self.variant.autocast():
            judged = self.judged(pair, made)
        torch_variants.move(judges, judged)
        drawers.step()
        self.steps += 1
        self.follow(len(pair[0]))
        return judged.detach(), drawn.detach()
