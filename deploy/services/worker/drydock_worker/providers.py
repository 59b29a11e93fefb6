"""Decides what the model runs on."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
# ONNX Runtime's builds name more: Azure calls a remote service, and TensorRT's libraries are in no image of ours.
USABLE = (CUDA, CPU)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Which providers to ask for, in order, and why."""

    providers: tuple[str, ...]
    reason: str


def usable(available: Sequence[str]) -> tuple[str, ...]:
    """Keep what this service can run on, best first."""
    return tuple(provider for provider in USABLE if provider in available)


def choose(available: Sequence[str], gpu_fault: str | None) -> Choice:
    """Choose among the providers of the installed runtime; `gpu_fault` says why no GPU can be used, if so."""
    providers = usable(available)
    if CUDA not in providers:
        return Choice(providers=providers, reason="this build runs on the CPU only")
    if gpu_fault is None:
        return Choice(providers=providers, reason="a GPU is present")
    # Asked for CUDA without a driver, the runtime falls back as well, but only after a page of errors.
    rest = tuple(provider for provider in providers if provider != CUDA)
    return Choice(providers=rest, reason=f"no GPU can be used, answering from the CPU: {gpu_fault}")


def device_of(provider: str) -> str:
    """Name the device that a provider runs on."""
    return "cuda" if provider == CUDA else "cpu"


def find_gpu_fault() -> str | None:
    """Ask NVIDIA's driver why no GPU can be used; None means that one can."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "NVIDIA's driver is not in this container"
    if code := driver.cuInit(0):
        return f"NVIDIA's driver does not start (error {code})"
    count = ctypes.c_int()
    if (code := driver.cuDeviceGetCount(ctypes.byref(count))) or count.value == 0:
        return f"NVIDIA's driver lists no device (error {code})"
    return None
