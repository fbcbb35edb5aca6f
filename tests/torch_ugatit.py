"""U-GAT-IT's networks written plainly in PyTorch, with the names of published files."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import spectral_norm


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
        parts = []
        for axes in ((2, 3), (1, 2, 3)):
            mean = x.mean(axes, keepdim=True)
            variance = x.var(axes, keepdim=True, unbiased=False)
            parts.append((x - mean) / torch.sqrt(variance + 1e-5))
        y = self.rho * parts[0] + (1 - self.rho) * parts[1]
        if gamma is None:
            return self.gamma * y + self.beta
        return gamma[:, :, None, None] * y + beta[:, :, None, None]


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
        both = torch.cat([x * w[None, :, None, None] for w in weights], 1)
        x = activation(self.conv1x1(both))
        return x, logits, x.sum(1)


def conv(before, after, size, stride=1):
    pad = nn.ReflectionPad2d(size // 2)
    return [pad, nn.Conv2d(before, after, size, stride, bias=False)]


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        norm = nn.InstanceNorm2d
        parts = [*conv(width, width, 3), norm(width), nn.ReLU()]
        self.conv_block = nn.Sequential(*parts, *conv(width, width, 3), norm(width))

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
        norm, wide = nn.InstanceNorm2d, 4 * width
        parts = [*conv(3, width, 7), norm(width), nn.ReLU()]
        for before in (width, 2 * width):
            after = 2 * before
            parts += [nn.ReflectionPad2d(1)]
            parts += [nn.Conv2d(before, after, 3, 2, bias=False), norm(after)]
            parts += [nn.ReLU()]
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
        return self.UpBlock2(x), logits, heat_map


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
        return self.conv(self.pad(x)), logits, heat_map
