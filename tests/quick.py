"""Programs that are compiled quickly, for tests of what is computed, and not of how fast it is."""

import functools

import jax


@functools.cache
def quick():
    """Options of XLA that make compiling cheaper, as many as this version of JAX knows."""
    options = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
    return {name: value for name, value in options.items() if _is_known({name: value})}


def _is_known(option):
    try:
        jax.jit(lambda: 0.0, compiler_options=option)()
    except RuntimeError:
        return False
    return True
