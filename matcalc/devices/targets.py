"""What programs can be compiled for: platforms, to which they are lowered, and chips, for which there is a compiler."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any

DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Target:
    """A platform of JAX, or a chip of it.

    For a platform, JAX lowers a program to StableHLO, which needs nothing installed. For a chip, XLA compiles it, which
    needs the packages of an extra. `topology` is a set of chips that the compiler knows; it compiles for one of them.
    """

    name: str
    platform: str
    topology: str = ""
    extra: str = ""
    packages: tuple[str, ...] = ()

    @property
    def is_chip(self) -> bool:
        """Whether it is compiled for, not only lowered."""
        return bool(self.topology)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """A TPU computes in float32: its float64 is emulated in pairs of those, with the range of float32."""
        return DTYPES[:1] if self.platform == "tpu" else DTYPES

    @property
    def missing(self) -> list[str]:
        """The packages that its compiler consists of and that are not installed."""
        return [package for package in self.packages if not _is_installed(package)]

    def device(self) -> Any:
        """A chip of it, as a JAX device that nothing can be put on. In the environment of `Child` only."""
        from jax.experimental import topologies

        if self.platform == "tpu":
            described: Any = topologies.get_topology_desc(platform="tpu", topology_name=self.topology)
        else:
            config = Path(__file__).with_name("h200.pbtxt").read_text(encoding="utf-8")
            described = topologies.get_topology_desc("", "cuda", target_config=config, topology=self.topology)
        return described.devices[0]


def _is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


_TPUS = {"v4": "v4:2x2x1", "v5e": "v5e:2x2", "v5p": "v5p:2x2x1", "v6e": "v6e:2x2"}
# nvcc brings the assembler, nvvm the device functions: without them the compiler ends the process.
_CUDA = ("jax-cuda13-plugin", "jax-cuda13-pjrt", "nvidia-cuda-nvcc", "nvidia-nvvm")

_ALL = (
    *(Target(platform, platform) for platform in ("cpu", "cuda", "rocm", "tpu")),
    *(Target(f"tpu:{chip}", "tpu", topology, "tpu-compile", ("libtpu",)) for chip, topology in _TPUS.items()),
    Target("cuda:sm_90a", "cuda", "1x1x1", "cuda-compile", _CUDA),
)
TARGETS: Mapping[str, Target] = MappingProxyType({target.name: target for target in _ALL})
