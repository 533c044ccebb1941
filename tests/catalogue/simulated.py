"""Python programs on eight simulated devices, in a process of their own."""

import os
import subprocess
import sys

# Compilation is nearly all of the time. What is compiled is little optimised, as only the partitioning matters here.
FLAGS = (
    "--xla_force_host_platform_device_count=8",
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
)


def printed(*arguments: str) -> list[str]:
    """The lines that `python ARGUMENTS` prints."""
    ran = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"XLA_FLAGS": " ".join(FLAGS), "JAX_PLATFORMS": "cpu"},
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()
