"""StyleGAN2's networks and its training step, written plainly in PyTorch.

The networks of `gan_lib.stylegan2_networks`, whose names the parts have. Of two ways to
write a thing the one that is faster on a CPU stands here: maps are scaled instead of a
kernel for each picture, filters are convolutions of each channel.
"""

from __future__ import annotations

import copy
import functools

import torch
import torch_variants
from torch import nn
from torch.nn import functional
from torch_variants import Variant

from gan_lib.sizes import all_sizes, channels_at, count_styles

GAIN = 2**0.5


class Dense(nn.Module):
    def __init__(self, before, after, gain=1.0, rate=1.0, bias=0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before) / rate)
        self.bias = nn.Parameter(torch.full((after,), bias))
        self.scale, self.rate = gain * rate / before**0.5, rate

    def forward(self, x):
        return functional.linear(x, self.weight * self.scale, self.bias * self.rate)


class Conv(nn.Module):
    """`halve`: the filter, then a stride of 2."""

    def __init__(self, before, after, size, gain=GAIN, bias=True, halve=False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before, size, size))
        self.bias = nn.Parameter(torch.zeros(after)) if bias else None
        self.gain, self.scale = gain, gain / (before * size**2) ** 0.5
        self.halve, self.padding = halve, size // 2

    def forward(self, x):
        weight = self.weight * self.scale
        if self.halve:
            return functional.conv2d(filtered(x, 2), weight, self.bias, 2)
        return functional.conv2d(x, weight, self.bias, padding=self.padding)


class ModulatedConv(Conv):
    def __init__(self, before, after, size, gain=GAIN, demodulate=True, up=False):
        super().__init__(before, after, size, gain)
        self.demodulate, self.up = demodulate, up

    def forward(self, x, styles):
        x, weight = x * styles[:, :, None, None], self.weight * self.scale
        if not self.demodulate:
            return functional.conv2d(x, weight, self.bias)
        with torch.autocast("cpu", enabled=False):
            power = (weight / self.gain).square().sum((2, 3))
            factors = torch.rsqrt(styles.float().square() @ power.T + 1e-8)
        if self.up:
            turned = weight.flip(2, 3).transpose(0, 1)
            x = filtered(functional.conv_transpose2d(x, turned, stride=2), 1, gain=4)
        else:
            x = functional.conv2d(x, weight, padding=self.padding)
        bias, factors = (value.to(x.dtype) for value in (self.bias, factors))
        return torch.addcmul(bias[:, None, None], x, factors[:, :, None, None])


@functools.cache
def kernel(channels, gain):
    row = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    return (gain * row[:, None] * row).repeat(channels, 1, 1, 1)


def filtered(x, padding, gain=1, stride=1):
    channels = x.shape[1]
    filters = kernel(channels, gain)
    return functional.conv2d(x, filters, None, stride, padding, groups=channels)


def doubled(x):
    channels = x.shape[1]
    return functional.conv_transpose2d(x, kernel(channels, 4), None, 2, 1, 0, channels)


def activate(x):
    return functional.leaky_relu(x, 0.2, inplace=True)


class Generator(nn.Module):
    """`parts` and `strengths` have the names of the layers of "synthesis"."""

    def __init__(self, image_size=32, *, latent_dim, style_dim, mapping_layers,
                 width, widest, noise_rate):  # fmt: skip
        super().__init__()
        self.count, self.latent_dim = count_styles(image_size), latent_dim
        self.noise_rate = noise_rate
        sizes = [latent_dim] + mapping_layers * [style_dim]
        self.mapping = nn.ModuleList(
            Dense(*pair, GAIN, 0.01) for pair in zip(sizes[:-1], sizes[1:], strict=True)
        )
        self.register_buffer("average", torch.zeros(style_dim))
        self.sizes = [4 << (number + 1) // 2 for number in range(self.count - 1)]
        widths = [channels_at(s, image_size, width, widest) for s in self.sizes]
        self.constant = nn.Parameter(torch.randn(widths[0], 4, 4))
        self.strengths = nn.ParameterDict()
        self.parts = nn.ModuleDict()
        before = widths[0]
        for number, (size, after) in enumerate(zip(self.sizes, widths, strict=True)):
            name = f"conv_{number}"
            self.parts[name] = ModulatedConv(before, after, 3, up=number % 2 == 1)
            self.parts[f"{name}_style"] = Dense(style_dim, before, bias=1.0)
            self.strengths[f"{name}_noise"] = nn.Parameter(torch.zeros(()))
            if number % 2 == 0:
                name = f"to_rgb_{size}"
                self.parts[name] = ModulatedConv(after, 3, 1, 1.0, demodulate=False)
                self.parts[f"{name}_style"] = Dense(style_dim, after, bias=1.0)
            before = after

    def styles(self, latents):
        power = latents.square().mean(-1, keepdim=True)
        x = latents * torch.rsqrt(power + 1e-8)
        for dense in self.mapping:
            x = activate(dense(x))
        return x

    def modulate(self, name, x, style):
        return self.parts[name](x, self.parts[f"{name}_style"](style))

    def forward(self, styles, noises):
        """Styles (B, layers, style_dim), noises (B, 1, H, H) -> images (B, 3, H, W)."""
        x = self.constant.expand(len(styles), *self.constant.shape)
        images = None
        for number, (size, noise) in enumerate(zip(self.sizes, noises, strict=True)):
            name = f"conv_{number}"
            x = self.modulate(name, x, styles[:, number])
            strength = self.strengths[f"{name}_noise"] * self.noise_rate
            x = activate(x + (noise * strength).to(x.dtype))
            if number % 2 == 0:
                drawn = self.modulate(f"to_rgb_{size}", x, styles[:, number + 1])
                images = drawn if images is None else doubled(images) + drawn
        return images.float()

    def draw(self, batch, mixing=0.9):
        """Images of fresh latents and noise, for training."""
        latents = torch.randn(2 * batch, self.latent_dim)
        first, second = self.styles(latents).unflatten(0, (2, batch)).unbind()
        with torch.no_grad():
            self.average.lerp_(first.float().mean(0), 0.005)
        crossover = torch.randint(1, self.count, (batch, 1))
        crossover[torch.rand(batch, 1) >= mixing] = self.count
        is_first = torch.arange(self.count) < crossover
        styles = torch.where(is_first[..., None], first[:, None], second[:, None])
        return self(styles, [torch.randn(batch, 1, s, s) for s in self.sizes])


class Discriminator(nn.Module):
    def __init__(self, image_size=32, *, width, widest, group_size=4):
        super().__init__()
        self.group_size = group_size

        def at(size):
            return channels_at(size, image_size, width, widest)

        self.sizes = all_sizes(image_size)[:0:-1]
        self.parts = nn.ModuleDict({"from_rgb": Conv(3, at(image_size), 1)})
        for size in self.sizes:
            here, after = at(size), at(size // 2)
            self.parts[f"skip_{size}"] = Conv(here, after, 1, 1 / GAIN, bias=False)
            self.parts[f"conv_{size}_0"] = Conv(here, here, 3)
            self.parts[f"conv_{size}_1"] = Conv(here, after, 3, 1.0, halve=True)
        self.parts["conv_4"] = Conv(at(4) + 1, at(4), 3)
        self.parts["dense"] = Dense(16 * at(4), at(2), GAIN)
        self.parts["logit"] = Dense(at(2), 1)

    def forward(self, images):
        parts = self.parts
        x = activate(parts["from_rgb"](images))
        for size in self.sizes:
            short = parts[f"skip_{size}"](filtered(x, 1, stride=2))
            x = activate(parts[f"conv_{size}_0"](x))
            x = activate(parts[f"conv_{size}_1"](x)) + short
        groups = x.float().unflatten(0, (self.group_size, -1))
        variance = (groups - groups.mean(0)).square().mean(0)  # faster than var
        deviation = torch.sqrt(variance + 1e-8).mean((1, 2, 3))
        deviation = deviation.repeat(self.group_size)[:, None, None, None]
        x = torch.cat([x, deviation.expand(-1, 1, 4, 4)], 1)
        x = activate(parts["conv_4"](x))
        return parts["logit"](activate(parts["dense"](x.flatten(1)))).float()


class Training:
    """One step a call: `gan_lib.models.stylegan2` with the settings of `LAPTOP`."""

    follow = torch_variants.follow

    def __init__(self, image_size, width, settings, memory_format, **switches):
        network = {k: settings[k] for k in ("latent_dim", "style_dim")}
        network |= {k: settings[k] for k in ("mapping_layers", "noise_rate")}
        shared = {"width": width, "widest": settings["widest"]}
        self.generator = Generator(image_size, **network, **shared)
        self.discriminator = Discriminator(image_size, **shared)
        players = self.generator, self.discriminator
        self.variant, self.settings = Variant(memory_format, **switches), settings
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.average.to(memory_format=memory_format)
        self.variant.place(*players)
        self.every, self.steps = settings["r1_every"], 0
        slowed = self.every / (self.every + 1)
        self.optimizers = [
            self.variant.adam(player, settings["rate"] * c, (0.0, 0.99**c), 1e-8)
            for player, c in zip(players, (1.0, slowed), strict=True)
        ]

    def discriminator_loss(self, real_images, fake_images, with_penalty):
        images = real_images.detach().requires_grad_(with_penalty)
        # What `torch.compile` makes has no second derivative.
        judge = self.discriminator.forward if with_penalty else self.discriminator
        real, fake = judge(images), self.discriminator(fake_images)
        loss = functional.softplus(-real).mean() + functional.softplus(fake).mean()
        if not with_penalty:
            return loss
        with torch.autocast("cpu", enabled=False):
            (slopes,) = torch.autograd.grad(real.sum(), images, create_graph=True)
        penalty = slopes.square().sum((1, 2, 3)).mean() / 2
        return loss + self.settings["r1_weight"] * self.every * penalty

    def __call__(self, real_images):
        """Images (B, 3, H, W) -> losses of discriminator and generator."""
        real_images = self.variant.maps(real_images)
        batch, with_penalty = len(real_images), self.steps % self.every == 0

        def judge(fake_images):
            fake_images = fake_images.detach()
            return self.discriminator_loss(real_images, fake_images, with_penalty)

        def draw(fake_images):
            return functional.softplus(-self.discriminator(fake_images)).mean()

        def make():
            return self.generator.draw(batch)

        return torch_variants.take_turns(self, batch, make, judge, draw)
