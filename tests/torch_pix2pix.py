"""pix2pix's U-Net, PatchGAN and training step, written plainly in PyTorch.

Layers and settings are those of `gan_lib.models.pix2pix` and `gan_lib.patchgan`.
"""

from __future__ import annotations

import copy

import torch
import torch_variants
from torch import nn
from torch.nn import functional
from torch_variants import InstanceNorm, Variant, batch_norm

from gan_lib.models.pix2pix import count_stages
from gan_lib.patchgan import RECEPTIVE_FIELDS


class Generator(nn.Module):
    """`dropout`: 0 leaves no noise."""

    def __init__(self, image_size=256, width=64, dropout=0.5):
        super().__init__()
        stages = count_stages(image_size)
        widths = [3, *(width * min(1 << stage, 8) for stage in range(stages))]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for stage, (before, after) in enumerate(zip(widths, widths[1:], strict=False)):
            parts = [nn.Conv2d(before, after, 4, 2, 1, bias=False)]
            parts += [batch_norm(after)] if 0 < stage < stages - 1 else []
            self.down.append(nn.Sequential(*parts))
        for stage in range(stages, 1, -1):
            before = widths[stage] * (1 if stage == stages else 2)
            layer = nn.ConvTranspose2d(before, widths[stage - 1], 4, 2, 1, bias=False)
            parts = [layer, batch_norm(widths[stage - 1])]
            if stages > 4 and min(5, stages - 1) <= stage < stages:
                parts += [nn.Dropout(dropout)]
            self.up.append(nn.Sequential(*parts))
        self.last = nn.ConvTranspose2d(2 * width, 3, 4, 2, 1)

    def forward(self, x):
        """Sources (B, 3, S, S) -> pictures (B, 3, S, S)."""
        maps = []
        for number, part in enumerate(self.down):
            x = part(functional.leaky_relu(x, 0.2) if number else x)
            maps.append(x)
        maps.pop()
        for part in self.up:
            x = torch.cat([maps.pop(), part(x.relu())], 1)
        return self.last(x.relu_()).float().tanh()


class Discriminator(nn.Module):
    """PatchGAN of 70 pixels; `norm`: a function of the number of channels."""

    def __init__(self, channels=6, width=64, norm=batch_norm, receptive_field=70):
        super().__init__()
        hidden, bias = RECEPTIVE_FIELDS[receptive_field], norm is not batch_norm
        layers = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
        before = width
        for number in range(1, hidden + 1):
            after, stride = width * min(1 << number, 8), 2 if number < hidden else 1
            layers += [nn.Conv2d(before, after, 4, stride, 1, bias=bias), norm(after)]
            layers += [nn.LeakyReLU(0.2, True)]
            before = after
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, 1, 4, 1, 1))

    def forward(self, images):
        """Pictures (B, channels, S, S) -> logits (B, 1, h, w)."""
        return self.layers(images).float()


def instance_norm(channels):
    return InstanceNorm()


class Training:
    """One step a call: `gan_lib.models.pix2pix` as published."""

    follow = torch_variants.follow

    def __init__(self, image_size, memory_format, width=64, dropout=0.5,
                 ema_half_life_kimg=0.5, **switches):  # fmt: skip
        self.variant, self.steps = Variant(memory_format, **switches), 0
        self.settings = {"ema_half_life_kimg": ema_half_life_kimg}
        self.generator = Generator(image_size, width, dropout)
        self.discriminator = Discriminator(width=width)
        players = self.generator, self.discriminator
        for player in players:
            torch_variants.start(player)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.average.to(memory_format=memory_format)
        self.variant.place(*players)
        self.optimizers = [self.variant.adam(p, 2e-4, (0.5, 0.999)) for p in players]

    def cross_entropy(self, source, images, label):
        """Of the logits for pictures (B, 3, S, S) beside their sources."""
        logits = self.discriminator(torch.cat([source, images], 1))
        labels = torch.full_like(logits, label)
        return functional.binary_cross_entropy_with_logits(logits, labels)

    def __call__(self, source, target):
        """Pictures (B, 3, S, S), twice -> losses of discriminator and generator."""
        source, target = map(self.variant.maps, (source, target))

        def judge(fake_images):
            real = self.cross_entropy(source, target, 1.0)
            return (real + self.cross_entropy(source, fake_images.detach(), 0.0)) / 2

        def draw(fake_images):
            l1 = functional.l1_loss(fake_images, target)
            return self.cross_entropy(source, fake_images, 1.0) + 100 * l1

        return torch_variants.take_turns(
            self, len(source), lambda: self.generator(source), judge, draw
        )
