"""BigGAN's pyramids for 32 px and their training step, written plainly in PyTorch.

The networks of `gan_lib.biggan_networks` without attention, whose names the parts
have; classes are rows of weights here too.
"""

from __future__ import annotations

import copy

import torch
import torch_variants
from torch import nn
from torch.nn import functional
from torch_variants import Variant, batch_norm

from gan_lib.biggan_networks import PYRAMID


class Spectral(nn.Module):
    """A kernel W / sigma; each training call takes one step of the power iteration."""

    def __init__(self, before, after, size=None, bias=True):
        super().__init__()
        shape = (after, before) if size is None else (after, before, size, size)
        self.weight = nn.Parameter(nn.init.orthogonal_(torch.empty(shape)))
        self.bias = nn.Parameter(torch.zeros(after)) if bias else None
        self.register_buffer("u", functional.normalize(torch.randn(after), dim=0))

    @torch.autocast("cpu", enabled=False)
    def kernel(self):
        rows, u = self.weight.flatten(1), self.u
        v = functional.normalize(rows.detach().T @ u, dim=0, eps=1e-12)
        product = rows @ v
        if self.training:
            # A new tensor: the gradient of an earlier call still needs the old one.
            u = functional.normalize(product.detach(), dim=0, eps=1e-12)
            self.u = u
        return self.weight / (product @ u)


class Dense(Spectral):
    def forward(self, x):
        return functional.linear(x, self.kernel(), self.bias)


class Conv(Spectral):
    def forward(self, x):
        return functional.conv2d(x, self.kernel(), self.bias, padding="same")


class ConditionalNorm(nn.Module):
    def __init__(self, channels, condition):
        super().__init__()
        self.normalization = batch_norm(channels, affine=False)
        self.gain = Dense(condition, channels, bias=False)
        self.bias = Dense(condition, channels, bias=False)

    def forward(self, x, condition):
        gain = 1 + self.gain(condition)[:, :, None, None]
        bias = self.bias(condition)[:, :, None, None]
        return torch.addcmul(bias, self.normalization(x), gain)


class Generator(nn.Module):
    def __init__(self, num_classes, *, latent_dim, class_dim, width):
        super().__init__()
        first, *widths = (width * m for m in PYRAMID["generator"])
        self.sizes = [8 << number for number in range(len(widths))]
        chunk = latent_dim // (len(widths) + 1)
        self.chunk, self.latent_dim = chunk, latent_dim
        self.parts = nn.ModuleDict()
        self.parts["class_embedding"] = nn.Linear(num_classes, class_dim, bias=False)
        nn.init.orthogonal_(self.parts["class_embedding"].weight)
        self.parts["start"] = Dense(chunk, 16 * first)
        before = first
        for size, after in zip(self.sizes, widths, strict=True):
            name = f"block_{size}"
            self.parts[f"{name}_shortcut"] = Conv(before, after, 1)
            for number, entering in ((1, before), (2, after)):
                norm = ConditionalNorm(entering, class_dim + chunk)
                self.parts[f"{name}_norm_{number}"] = norm
                self.parts[f"{name}_conv_{number}"] = Conv(entering, after, 3)
            before = after
        self.parts["norm"] = batch_norm(before)
        self.parts["to_rgb"] = Conv(before, 3, 3)

    def forward(self, latents, classes):
        """Latents (B, latent_dim), classes (B, classes) -> images (B, 3, 32, 32)."""
        parts = self.parts
        embedding = parts["class_embedding"](classes)
        first, *chunks = latents.split(self.chunk, 1)
        x = parts["start"](first).unflatten(1, (-1, 4, 4))
        for size, chunk in zip(self.sizes, chunks, strict=True):
            name, condition = f"block_{size}", torch.cat([embedding, chunk], 1)
            short = doubled(parts[f"{name}_shortcut"](x))
            x = parts[f"{name}_norm_1"](x, condition).relu_()
            x = parts[f"{name}_conv_1"](doubled(x))
            x = parts[f"{name}_norm_2"](x, condition).relu_()
            x = parts[f"{name}_conv_2"](x) + short
        return parts["to_rgb"](parts["norm"](x).relu_()).float().tanh()


def doubled(x):
    return functional.interpolate(x, scale_factor=2, mode="nearest")


class Discriminator(nn.Module):
    def __init__(self, num_classes, *, width):
        super().__init__()
        self.parts = nn.ModuleDict()
        multiples, before = PYRAMID["discriminator"], 3
        self.halvings = len(multiples) - 1
        for number, multiple in enumerate(multiples):
            name, after = f"block_{number}", width * multiple
            self.parts[f"{name}_conv_1"] = Conv(before, after, 3)
            self.parts[f"{name}_conv_2"] = Conv(after, after, 3)
            if number < self.halvings or before != after:
                self.parts[f"{name}_shortcut"] = Conv(before, after, 1)
            before = after
        self.parts["logits"] = Dense(before, 1)
        self.parts["class_embedding"] = Dense(num_classes, before, bias=False)

    def forward(self, images, classes):
        parts, x = self.parts, images
        for number in range(self.halvings + 1):
            name, short = f"block_{number}", x
            x = parts[f"{name}_conv_1"](x.relu() if number else x).relu_()
            x = parts[f"{name}_conv_2"](x)
            if number < self.halvings:
                x, short = (functional.avg_pool2d(maps, 2) for maps in (x, short))
            if f"{name}_shortcut" in parts:
                short = parts[f"{name}_shortcut"](short)
            x = x + short
        h = x.relu_().float().sum((2, 3))
        fits = (parts["class_embedding"](classes) * h).sum(1, keepdim=True)
        return parts["logits"](h) + fits


class Training:
    """One step a call: `gan_lib.models.biggan` with the settings of `LAPTOP`."""

    follow = torch_variants.follow

    def __init__(self, num_classes, settings, memory_format, **switches):
        self.num_classes, self.variant = num_classes, Variant(memory_format, **switches)
        self.settings, self.steps = {"ema_half_life_kimg": 5.0} | settings, 0
        network = {k: settings[k] for k in ("latent_dim", "class_dim", "width")}
        self.generator = Generator(num_classes, **network)
        self.discriminator = Discriminator(num_classes, width=settings["width"])
        players = self.generator, self.discriminator
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.average.to(memory_format=memory_format)
        self.variant.place(*players)
        self.optimizers = [
            self.variant.adam(player, rate, (0.0, 0.999))
            for player, rate in zip(players, settings["rates"], strict=True)
        ]

    def classes(self, labels):
        return functional.one_hot(labels, self.num_classes).float()

    def draw(self, batch):
        """Latents and classes of fakes."""
        labels = torch.randint(0, self.num_classes, (batch,))
        return torch.randn(batch, self.generator.latent_dim), self.classes(labels)

    def __call__(self, real_images, labels):
        """Images (B, 3, 32, 32), labels (B,) -> both losses, the discriminator's first.

        The fakes serve both players; the generator answers the moved discriminator.
        """
        real_images, batch = self.variant.maps(real_images), len(real_images)
        latents, classes = self.draw(batch)

        def judge(fake_images):
            real = self.discriminator(real_images, self.classes(labels))
            fake = self.discriminator(fake_images.detach(), classes)
            return (1 - real).relu().mean() + (1 + fake).relu().mean()

        return torch_variants.take_turns(
            self,
            batch,
            lambda: self.generator(latents, classes),
            judge,
            lambda fake_images: -self.discriminator(fake_images, classes).mean(),
        )
