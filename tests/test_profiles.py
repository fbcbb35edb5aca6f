"""Which row of the table, and which dtype policy."""

from __future__ import annotations

import dataclasses

import pytest
import tensorflow as tf

from gan_lib import cpu, profiles


@pytest.fixture(autouse=True)
def _no_override(monkeypatch):
    monkeypatch.delenv("GAN_PROFILE", raising=False)


@pytest.fixture
def machine(monkeypatch):
    """Pretend to be a machine with this GPU and these CPU flags."""

    def pretend(gpu: bool = False, capability=None, flags: str = ""):
        details = {} if capability is None else {"compute_capability": capability}
        monkeypatch.setattr(
            tf.config, "list_physical_devices", lambda kind: ["GPU:0"] if gpu else []
        )
        monkeypatch.setattr(
            tf.config.experimental, "get_device_details", lambda device: details
        )
        monkeypatch.setattr(cpu, "flags", lambda: set(flags.split()))

    return pretend


def test_auto_is_gpu_where_tensorflow_sees_one(machine):
    machine(gpu=True, capability=(7, 5))
    assert profiles.profile().name == "gpu"
    machine(gpu=False)
    assert profiles.profile("auto").name == "cpu"


def test_the_environment_overrides_auto_and_nothing_else(machine, monkeypatch):
    machine(gpu=True, capability=(8, 0))
    monkeypatch.setenv("GAN_PROFILE", "smoke")
    assert profiles.profile().name == "smoke"
    assert profiles.profile("cpu").name == "cpu"
    for neutral in ("auto", ""):
        monkeypatch.setenv("GAN_PROFILE", neutral)
        assert profiles.profile().name == "gpu"


def test_unknown_names_list_the_known_ones(monkeypatch):
    with pytest.raises(ValueError, match="auto, smoke, cpu, gpu"):
        profiles.profile("tpu")
    monkeypatch.setenv("GAN_PROFILE", "fast")
    with pytest.raises(ValueError, match=r"'fast' \(from GAN_PROFILE\)"):
        profiles.profile()


def test_a_lesson_has_its_own_sizes_and_the_same_policy(machine):
    machine(flags="amx_bf16")
    first, other = profiles.profile("cpu"), profiles.profile("cpu", "pix2pix")
    assert (first.batch_size, other.batch_size) == (64, 16)
    assert first.policy == other.policy == "mixed_bfloat16"
    with pytest.raises(ValueError, match="dcgan, pix2pix"):
        profiles.profile("cpu", "cooking")


@pytest.mark.parametrize(
    ("flags", "policy"),
    [
        ("fpu avx2 avx512f avx512_bf16 amx_tile amx_bf16", "mixed_bfloat16"),
        ("fpu avx2 avx512f avx512_bf16", "mixed_bfloat16"),
        ("fpu avx2 avx512f avx512_vnni", "float32"),
        ("fpu amx_bf16_future", "float32"),
        ("", "float32"),
    ],
)
def test_the_cpu_policy_follows_what_the_cpu_multiplies(machine, flags, policy):
    machine(flags=flags)
    assert profiles.profile("cpu").policy == policy
    assert profiles.profile("smoke").policy == "float32"


@pytest.mark.parametrize(
    ("capability", "policy"),
    [
        ((7, 0), "mixed_float16"),
        ((7, 5), "mixed_float16"),
        ((8, 0), "mixed_bfloat16"),
        ((8, 9), "mixed_bfloat16"),
        ((12, 0), "mixed_bfloat16"),
        (None, "float32"),
    ],
)
def test_the_gpu_policy_follows_the_compute_capability(machine, capability, policy):
    machine(gpu=True, capability=capability)
    assert profiles.profile("gpu").policy == policy


def test_the_gpu_profile_on_a_machine_without_one(machine):
    machine(gpu=False)
    assert profiles.profile("gpu").policy == "float32"


def test_the_flags_are_read_from_the_first_cpu(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(
        "processor\t: 0\nflags\t\t: fpu amx_bf16 amx_tile\nbugs\t\t: spectre_v1\n\n"
        "processor\t: 1\nflags\t\t: fpu other\n"
    )
    assert cpu.flags(cpuinfo) == {"fpu", "amx_bf16", "amx_tile"}


def test_no_flags_where_there_is_no_such_file(tmp_path):
    assert cpu.flags(tmp_path / "missing") == set()
    arm = tmp_path / "arm"
    arm.write_text("processor\t: 0\nFeatures\t: fp asimd bf16\n")
    assert cpu.flags(arm) == {"fp", "asimd", "bf16"}


def test_a_profile_cannot_be_changed_by_accident():
    smoke = profiles.profile("smoke")
    with pytest.raises(dataclasses.FrozenInstanceError):
        smoke.kimg = 10
    assert dataclasses.replace(smoke, kimg=10).kimg == 10


@pytest.mark.parametrize("row", profiles.PROFILES.values(), ids=profiles.PROFILES)
def test_every_row_is_consistent(row):
    assert profiles.PROFILES[row.name] is row
    assert row.image_size == 64
    assert row.tick_kimg * 2 <= row.kimg
    assert row.ablation_kimg * 2 <= row.kimg
    assert row.ablation_kimg * 1000 >= row.batch_size
    assert row.num_images >= row.metric_images
    assert row.num_images >= row.batch_size
    assert row.ablation_seconds * 6 <= row.minutes * 60
