"""DCGAN's networks in the recipe "anime" and their training step, in plain PyTorch.

Layers and settings are those of `gan_lib.models.dcgan`.
"""

from __future__ import annotations

import copy

import torch
import torch_variants
from torch import nn
from torch.nn import functional
from torch_variants import Variant, batch_norm

from gan_lib.models.dcgan import RECIPES
from gan_lib.sizes import count_stages

ANIME = RECIPES["anime"]


def leaky(slope):
    return nn.LeakyReLU(slope, inplace=True)


class Generator(nn.Module):
    def __init__(self, image_size=64, latent_dim=100, recipe=ANIME):
        super().__init__()
        stages, width = count_stages(image_size), recipe.width
        settings = 1 - recipe.momentum, recipe.epsilon
        first, slope = width << (stages - 1), recipe.generator_slope
        layers = [
            nn.Unflatten(1, (latent_dim, 1, 1)),
            nn.ConvTranspose2d(latent_dim, first, 4),
            batch_norm(first, *settings),
            leaky(slope),
        ]
        for stage in range(1, stages):
            before, after = first >> (stage - 1), first >> stage
            layers += [nn.ConvTranspose2d(before, after, recipe.kernel_size, 2, 1)]
            layers += [batch_norm(after, *settings), leaky(slope)]
        layers += [nn.Conv2d(width, width, 3, padding=1), batch_norm(width, *settings)]
        layers += [leaky(slope), nn.ConvTranspose2d(width, 3, recipe.kernel_size, 2, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, latents):
        """Latents (B, latent_dim) -> images (B, 3, H, W)."""
        return self.layers(latents).float().tanh()


class Discriminator(nn.Module):
    def __init__(self, image_size=64, recipe=ANIME):
        super().__init__()
        stages, layers, before = count_stages(image_size), [], 3
        for stage in range(stages):
            after = recipe.width << stage
            layers += [nn.Conv2d(before, after, recipe.kernel_size, 2, 1)]
            if stage:
                layers += [batch_norm(after, 1 - recipe.momentum, recipe.epsilon)]
            layers += [leaky(0.2)]
            before = after
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * before, 1))

    def forward(self, images):
        return self.layers(images).float()


class Training:
    """One step a call: `gan_lib.models.dcgan` with the recipe "anime"."""

    follow = torch_variants.follow

    def __init__(self, image_size, memory_format, recipe=ANIME, latent_dim=100,
                 ema_half_life_kimg=5.0, **switches):  # fmt: skip
        self.variant, self.recipe = Variant(memory_format, **switches), recipe
        self.latent_dim, self.steps = latent_dim, 0
        self.settings = {"ema_half_life_kimg": ema_half_life_kimg}
        self.generator = Generator(image_size, latent_dim, recipe)
        self.discriminator = Discriminator(image_size, recipe)
        players = self.generator, self.discriminator
        for weight in (w for p in players for w in p.parameters() if w.ndim > 1):
            nn.init.xavier_uniform_(weight)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.average.to(memory_format=memory_format)
        self.variant.place(*players)
        rates = recipe.generator_rate, recipe.discriminator_rate
        self.optimizers = [
            self.variant.adam(player, rate, (0.5, 0.999))
            for player, rate in zip(players, rates, strict=True)
        ]

    def draw(self, batch):
        return torch.randn(batch, self.latent_dim)

    def cross_entropy(self, images, bounds):
        """Of the logits for images (B, 3, H, W) and labels from U(*bounds)."""
        logits = self.discriminator(images)
        labels = torch.empty_like(logits).uniform_(*bounds)
        return functional.binary_cross_entropy_with_logits(logits, labels)

    def __call__(self, real_images):
        """Images (B, 3, H, W) -> losses of discriminator and generator."""
        real_images = self.variant.maps(real_images)
        batch, bounds = len(real_images), self.recipe.real_labels

        def judge(fake_images):
            real = self.cross_entropy(real_images, bounds)
            fake = self.cross_entropy(fake_images.detach(), self.recipe.fake_labels)
            return real + fake

        return torch_variants.take_turns(
            self,
            batch,
            lambda: self.generator(self.draw(batch)),
            judge,
            lambda fake_images: self.cross_entropy(fake_images, bounds),
        )
