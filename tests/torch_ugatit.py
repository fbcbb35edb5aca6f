"""U-GAT-IT written plainly in PyTorch: networks with the names of published files,
and the training step of `gan_lib.models.ugatit`.
"""

from __future__ import annotations

import copy
from itertools import chain

import torch
import torch_variants
from torch import nn
from torch.nn import functional
from torch.nn.utils import spectral_norm
from torch_variants import InstanceNorm, Variant

from gan_lib.ugatit_networks import discriminator_layers


class LayerInstance(nn.Module):
    """AdaLIN, or with weights of its own LIN (`affine`)."""

    def __init__(self, channels, affine):
        super().__init__()
        shape = (1, channels, 1, 1)
        self.rho = nn.Parameter(torch.full(shape, 0.0 if affine else 0.9))
        if affine:
            self.gamma = nn.Parameter(torch.ones(shape))
            self.beta = nn.Parameter(torch.zeros(shape))

    def forward(self, x, gamma=None, beta=None):
        if gamma is None:
            gamma, beta = self.gamma, self.beta
        else:
            gamma, beta = gamma[:, :, None, None], beta[:, :, None, None]
        # PyTorch's group norm is fast on maps that lie channel by channel only.
        normalize = self.by_kernels if x.is_contiguous() else self.by_statistics
        return normalize(x, gamma, beta)

    def by_kernels(self, x, gamma, beta):
        layer, instance = (functional.group_norm(x, n) for n in (1, x.shape[1]))
        y = torch.lerp(layer, instance, self.rho.to(x.dtype))
        return torch.addcmul(beta.to(x.dtype), gamma.to(x.dtype), y)

    def by_statistics(self, x, gamma, beta):
        """y = scale x + shift; the layer's statistics follow from the channels'."""
        maps = x.float()
        mean = maps.mean((2, 3), keepdim=True)
        variance = maps.square().mean((2, 3), keepdim=True) - mean.square()
        variance = variance.clamp_min(0)
        layer_mean = mean.mean(1, keepdim=True)
        spread = (variance + (mean - layer_mean).square()).mean(1, keepdim=True)
        instance = self.rho * torch.rsqrt(variance + 1e-5)
        layer = (1 - self.rho) * torch.rsqrt(spread + 1e-5)
        scale = gamma * (instance + layer)
        shift = beta - gamma * (instance * mean + layer * layer_mean)
        return torch.addcmul(shift.to(x.dtype), x, scale.to(x.dtype))


class Attention(nn.Module):
    """Adds the CAM's layers and its computation to a network."""

    def add_attention(self, channels, wrap):
        self.gap_fc = wrap(nn.Linear(channels, 1, bias=False))
        self.gmp_fc = wrap(nn.Linear(channels, 1, bias=False))
        self.conv1x1 = nn.Conv2d(2 * channels, channels, 1)

    def attend(self, x, activation):
        logits = torch.cat(
            [self.gap_fc(x.mean((2, 3))), self.gmp_fc(x.amax((2, 3)))], 1
        )
        weights = [next(fc.parameters())[0] for fc in (self.gap_fc, self.gmp_fc)]
        weights = [w.to(x.dtype)[None, :, None, None] for w in weights]
        both = torch.cat([x * w for w in weights], 1)
        x = activation(self.conv1x1(both))
        return x, logits, x.sum(1)


def conv(before, after, size, stride=1):
    pad = nn.ReflectionPad2d(size // 2)
    return [pad, nn.Conv2d(before, after, size, stride, bias=False)]


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        parts = [*conv(width, width, 3), InstanceNorm(), nn.ReLU()]
        self.conv_block = nn.Sequential(*parts, *conv(width, width, 3), InstanceNorm())

    def forward(self, x):
        return x + self.conv_block(x)


class AdaptiveResidual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.pad = nn.ReflectionPad2d(1)
        self.conv1 = nn.Conv2d(width, width, 3, bias=False)
        self.norm1 = LayerInstance(width, affine=False)
        self.conv2 = nn.Conv2d(width, width, 3, bias=False)
        self.norm2 = LayerInstance(width, affine=False)

    def forward(self, x, gamma, beta):
        y = torch.relu(self.norm1(self.conv1(self.pad(x)), gamma, beta))
        return x + self.norm2(self.conv2(self.pad(y)), gamma, beta)


class Generator(Attention):
    def __init__(self, image_size=256, width=64, blocks=4, light=True):
        super().__init__()
        wide = 4 * width
        parts = [*conv(3, width, 7), InstanceNorm(), nn.ReLU()]
        for before in (width, 2 * width):
            after = 2 * before
            parts += [nn.ReflectionPad2d(1)]
            parts += [nn.Conv2d(before, after, 3, 2, bias=False)]
            parts += [InstanceNorm(), nn.ReLU()]
        parts += [Residual(wide) for _ in range(blocks)]
        self.DownBlock = nn.Sequential(*parts)
        self.add_attention(wide, lambda layer: layer)
        self.light, self.blocks = light, blocks
        inputs = wide if light else wide * (image_size // 4) ** 2
        first, second = (nn.Linear(n, wide, bias=False) for n in (inputs, wide))
        self.FC = nn.Sequential(first, nn.ReLU(), second, nn.ReLU())
        self.gamma = nn.Linear(wide, wide, bias=False)
        self.beta = nn.Linear(wide, wide, bias=False)
        for number in range(1, blocks + 1):
            setattr(self, f"UpBlock1_{number}", AdaptiveResidual(wide))
        parts = []
        for before in (wide, 2 * width):
            parts += [nn.Upsample(scale_factor=2), *conv(before, before // 2, 3)]
            parts += [LayerInstance(before // 2, affine=True), nn.ReLU()]
        self.UpBlock2 = nn.Sequential(*parts, *conv(width, 3, 7), nn.Tanh())

    def forward(self, x):
        x, logits, heat_map = self.attend(self.DownBlock(x), torch.relu)
        pooled = x.mean((2, 3)) if self.light else x.flatten(1)
        style = self.FC(pooled)
        gamma, beta = self.gamma(style), self.beta(style)
        for number in range(1, self.blocks + 1):
            x = getattr(self, f"UpBlock1_{number}")(x, gamma, beta)
        return self.UpBlock2(x).float(), logits.float(), heat_map


class Discriminator(Attention):
    def __init__(self, layers=7, width=64):
        super().__init__()
        parts, before = [], 3
        for number in range(layers - 1):
            stride, after = 2 if number < layers - 2 else 1, width << number
            layer = nn.Conv2d(before, after, 4, stride)
            parts += [nn.ReflectionPad2d(1), spectral_norm(layer), nn.LeakyReLU(0.2)]
            before = after
        self.model = nn.Sequential(*parts)
        self.add_attention(before, spectral_norm)
        self.pad = nn.ReflectionPad2d(1)
        self.conv = spectral_norm(nn.Conv2d(before, 1, 4, bias=False))

    def forward(self, x):
        leaky = nn.functional.leaky_relu
        x, logits, heat_map = self.attend(self.model(x), lambda y: leaky(y, 0.2))
        return self.conv(self.pad(x)).float(), logits.float(), heat_map


class Training:
    """One step a call: `gan_lib.models.ugatit` as published, light.

    As ours does it, a translation and an identity share a call, so do a
    discriminator's real and fake pictures, and the fakes serve both players.
    """

    def __init__(self, image_size, memory_format, width=64, blocks=4,
                 ema_half_life_kimg=0.5, **switches):  # fmt: skip
        self.variant, self.steps = Variant(memory_format, **switches), 0
        self.settings = {"ema_half_life_kimg": ema_half_life_kimg}
        generators = (Generator(image_size, width, blocks) for _ in "ab")
        self.generator = nn.ModuleList(generators)
        layers = discriminator_layers(image_size).values()
        pairs = (nn.ModuleList(Discriminator(n, width) for n in layers) for _ in "ab")
        self.discriminator = nn.ModuleList(pairs)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.average.to(memory_format=memory_format)
        self.variant.place(*self.generator, *chain(*self.discriminator))
        self.optimizers = [
            self.variant.adam(player, 1e-4, (0.5, 0.999), weight_decay=1e-4)
            for player in (self.generator, self.discriminator)
        ]
        names = self.generator.named_parameters()
        self.proportions = [w for name, w in names if name.endswith("rho")]

    def follow(self, batch):
        with torch.no_grad():
            for proportion in self.proportions:
                proportion.clamp_(0, 1)
        torch_variants.follow(self, batch)

    def make(self, pair):
        """(fakes of A and B, their CAM logits, pairs of what an L1 ties together)"""
        (a, b), (a_to_b, b_to_a) = pair, self.generator
        there_b, cam_b, _ = a_to_b(torch.cat([a, b]))
        there_a, cam_a, _ = b_to_a(torch.cat([b, a]))
        (fake_b, same_b), (fake_a, same_a) = there_b.chunk(2), there_a.chunk(2)
        again = b_to_a(fake_b)[0], a_to_b(fake_a)[0]
        ties = [*zip(again, pair, strict=True), (same_a, a), (same_b, b)]
        return (fake_a, fake_b), (cam_a, cam_b), ties

    def verdicts(self, images):
        """All logits for pictures of A and of B, patches' and classifiers'."""
        pairs = zip(self.discriminator, images, strict=True)
        return [x for pair, maps in pairs for judge in pair for x in judge(maps)[:2]]

    def judged(self, pair, made):
        both = [torch.cat([x, y.detach()]) for x, y in zip(pair, made[0], strict=True)]
        halves = [x.chunk(2) for x in self.verdicts(both)]
        return sum(
            (real - 1).square().mean() + fake.square().mean() for real, fake in halves
        )

    def drawn(self, made):
        fakes, cams, ties = made
        entropy = functional.binary_cross_entropy_with_logits
        loss = sum((x - 1).square().mean() for x in self.verdicts(fakes))
        loss += 10 * sum(functional.l1_loss(*images) for images in ties)
        for cam in cams:
            source, target = cam.chunk(2)
            loss += 1000 * entropy(source, torch.ones_like(source))
            loss += 1000 * entropy(target, torch.zeros_like(target))
        return loss

    def __call__(self, *pair):
        """Pictures (B, 3, S, S) of A and of B -> losses, the discriminators' first."""
        pair = [self.variant.maps(images) for images in pair]
        return torch_variants.take_turns(
            self,
            len(pair[0]),
            lambda: self.make(pair),
            lambda made: self.judged(pair, made),
            self.drawn,
        )
