"""Functions of lists of arrays as the referee runs them: compiled where that can be, and never with a state kept."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from matcalc.referee.constants import AGAIN, REPEATED
from matcalc.referee.jaxprs import Edited, coarsest, draws, has_loop, multiplies_coarsely
from matcalc.referee.tensors import array
from matcalc.referee.tolerances import relative
from matcalc.referee.watch import Watch

Array = np.ndarray[Any, Any]
Arrays = list[Any]
Mode = Literal["jit", "eager", "numpy"]
ARRAYS = (np.ndarray, jax.Array)
# Of small programs: measured over the derivatives of the catalogue, what compiles in 87 ms compiles in 24 with it.
HASTY = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_use_fusion_emitters": False,
}


@functools.cache
def hasty() -> dict[str, Any]:
    """Those options that this version of XLA knows."""

    def is_known(option: str) -> bool:
        try:
            jax.jit(lambda: 0.0, compiler_options={option: HASTY[option]})()
        except RuntimeError:
            return False
        return True

    return {option: value for option, value in HASTY.items() if is_known(option)}


class Raised(Exception):
    """What a function given to the referee raised."""


class KeepsState(Raised):
    """A function kept a traced value, and used it when it was called again."""


class Program:
    """A function of lists of arrays, compiled at most once for each shape: what can be kept from one check to another.

    `is_hasty` compiles it with little optimisation.
    """

    def __init__(self, function: Callable[..., Any], modes: Sequence[Mode], is_hasty: bool = False) -> None:
        self.function, self.modes = function, tuple(modes)
        self.compiled = jax.jit(function, compiler_options=hasty() if is_hasty else None)
        self.jaxpr = functools.cache(self._jaxpr)
        self.coarsest = functools.cache(lambda *key: coarsest(self.jaxpr(*key)) or np.dtype(np.float64))
        self.edited = functools.cache(self._edited)

    def _jaxpr(self, precision: Any, *arguments: tuple[Any, ...]) -> Any:
        del precision  # of products, which is written into the jaxpr
        return self.compiled.trace(*map(list, arguments)).jaxpr

    def _edited(self, *key: Any) -> Edited:
        return Edited(self.jaxpr(*key))


class Running:
    """A program in one check: a call gives a list of NumPy arrays.

    Where the function cannot be traced, it runs operation by operation, and where JAX's arrays are not to its taste, on
    copies of NumPy arrays. `mode` says how it last ran, `count` how often, `mutates` whether it changes its arguments.
    Raised for what it raises in every mode, and KeepsState, which is one, for what it raises as it had kept a traced
    value; OutOfTime where the time on the `watch` is over.
    """

    def __init__(self, program: Program, watch: Watch | None = None) -> None:
        self.program, self.watch = program, watch or Watch()
        self.modes: tuple[Mode, ...] = program.modes
        self.count = 0
        self.mutates = False

    @property
    def mode(self) -> Mode:
        return self.modes[0]

    def __call__(self, *arguments: Arrays) -> list[Array]:
        self.watch.look()
        first: Exception | None = None
        kind = Raised
        for place, mode in enumerate(self.modes):
            try:
                result = self._run(mode, arguments)
            except Raised:
                raise
            except Exception as error:
                kind = KeepsState if isinstance(error, jax.errors.UnexpectedTracerError) else kind
                first = first if first and not isinstance(first, jax.errors.JAXTypeError) else error
            else:
                self.count += 1
                self.modes = self.modes[place:]
                return result
        raise kind(f"{type(first).__name__}: {str(first).strip() or 'no message'}") from None

    def coarsest(self, *arguments: Arrays) -> Any:
        """The dtype of the fewest bits that it computes with when it is given float64."""
        result = self(*arguments) if not self.count else []
        if self.mode == "jit":
            return self.program.coarsest(*_key(arguments))
        return next((r.dtype for r in result or self(*arguments) if is_real(r)), np.dtype(np.float64))

    def loops(self, *arguments: Arrays) -> bool:
        """Whether it loops until a condition holds, as far as is known: what is not traced may."""
        if not self.count:
            self(*arguments)
        return self.mode != "jit" or has_loop(self.program.jaxpr(*_key(arguments)).jaxpr)

    def multiplies_coarsely(self, *arguments: Arrays) -> bool:
        """Whether it has matrix products that keep less than float32, as far as is known: what is not traced may."""
        try:
            return self.mode != "jit" or multiplies_coarsely(self.program.jaxpr(*_key(arguments)).jaxpr)
        except Exception:  # whatever the function raises while it is traced
            return True

    def draws(self, *arguments: Arrays) -> bool:
        """Whether it draws random numbers."""
        self(*arguments)
        return self.mode == "jit" and draws(self.program.jaxpr(*_key(arguments)).jaxpr)

    def shapes(self, *arguments: Arrays) -> list[tuple[int, ...]]:
        """The shapes of the results, without computing them where that can be."""
        try:
            return [r.shape for r in jax.tree.leaves(jax.eval_shape(self.program.function, *arguments))]
        except Exception:
            return [r.shape for r in self(*arguments)]

    def traced(self, *arguments: Arrays) -> Any | None:
        """The program of JAX, which takes the arguments in one flat list; None where there is none."""
        return self.program.jaxpr(*_key(arguments)) if self.mode == "jit" else None

    def edited(self, *arguments: Arrays) -> Edited:
        """The same program with places that can be changed; it takes the arguments in one flat list."""
        return self.program.edited(*_key(arguments))

    def is_impure(self, *arguments: Arrays) -> bool:
        """Whether it gives other results when it is called again, or becomes another program when traced again.

        KeepsState where a traced value of an earlier call is in that program.
        """
        if self.mode != "jit":
            first = self(*arguments)
            again = (zip(first, self(*arguments), strict=True) for _ in range(AGAIN))
            return any(relative(a, b, 1.0) > REPEATED for pairs in again for a, b in pairs)
        first = self._traced(*arguments)
        return any(first != self._traced(*arguments) for _ in range(AGAIN))

    def _traced(self, *arguments: Arrays) -> tuple[str, list[bytes]]:
        """The program and its constants, to compare."""
        function = self.program.function
        try:
            closed = jax.make_jaxpr(lambda *a: function(*a))(*arguments)  # traced anew, as it is another function
        except jax.errors.UnexpectedTracerError as error:
            raise KeepsState(str(error)) from None
        if any(isinstance(a, Tracer) for a in closed.consts):
            raise KeepsState("a traced value is a constant of the program")
        arrays = (a for a in closed.consts if isinstance(a, ARRAYS))
        plain = (jax.random.key_data(a) if jnp.issubdtype(a.dtype, jax.dtypes.prng_key) else a for a in arrays)
        return str(closed.jaxpr), [np.asarray(a).tobytes() for a in plain]

    def _run(self, mode: Mode, arguments: tuple[Arrays, ...]) -> list[Array]:
        if mode == "numpy":
            copies = [[np.array(a) for a in arrays] for arrays in arguments]
            result = self.program.function(*copies)
            for arrays, copied in zip(arguments, copies, strict=True):
                for a, b in zip(arrays, copied, strict=True):
                    self.mutates |= not np.array_equal(a, b, equal_nan=is_real(b))
        elif mode == "eager":
            result = self.program.function(*([jnp.asarray(a) for a in arrays] for arrays in arguments))
        else:
            result = self.program.compiled(*arguments)
        return [array(r) for r in jax.tree.leaves(result)]


def is_real(a: Any) -> bool:
    """Whether it is an array of real floating numbers."""
    return isinstance(a, ARRAYS) and jnp.issubdtype(a.dtype, jnp.floating)


def _key(arguments: tuple[Arrays, ...]) -> tuple[Any, ...]:
    """What a program is traced for: the precision of products in force, shapes and dtypes."""
    shapes = (tuple(jax.ShapeDtypeStruct(np.shape(a), a.dtype) for a in arrays) for arrays in arguments)
    return (cast(Any, jax.config).jax_default_matmul_precision, *shapes)
