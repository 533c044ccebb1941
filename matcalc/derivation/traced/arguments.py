"""A function to be traced: which of its arguments are variables, of which shapes, and what they are called."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from matcalc.claims.problem import Shape
from matcalc.claims.reading import Shapes, shapes_of
from matcalc.formula.parser import name_of
from matcalc.formula.sizes import LETTERS
from matcalc.formula.words import FUNCTIONS

Examples = Sequence[Any] | Mapping[str, Any] | None


@dataclass(frozen=True)
class Subject:
    """A function, with the arguments that are variables by the names that they have in formulas."""

    function: Callable[..., Any]
    signature: inspect.Signature
    shapes: Mapping[str, Shape]  # of the variables, by parameter
    dtypes: Mapping[str, Any]
    fixed: Mapping[str, Any]  # what is no variable: integers, options
    examples: Mapping[str, Any]
    names: Mapping[str, str]  # from parameters to variables
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return name_of_function(self.function)

    @property
    def letters(self) -> list[str]:
        """The sizes that are letters."""
        return list(dict.fromkeys(size for shape in self.shapes.values() for size in shape if isinstance(size, str)))

    @property
    def sizes(self) -> dict[str, int]:
        """The numbers that the sizes have in the examples."""
        pairs = [pair for name, a in self.examples.items() for pair in zip(self.shapes[name], a.shape, strict=True)]
        return {letter: number for letter, number in pairs if isinstance(letter, str)}

    def call(self, *arrays: Any) -> Any:
        """The function of the variables alone, in their order."""
        bound = self.signature.bind_partial()
        given = {**self.fixed, **dict(zip(self.shapes, arrays, strict=True))}
        bound.arguments.update({name: given[name] for name in self.signature.parameters if name in given})
        return self.function(*bound.args, **bound.kwargs)

    def at(self, sizes: Mapping[str, int]) -> "Subject":
        """The same with numbers for letters."""
        shapes = {name: tuple(sizes.get(str(n), n) for n in shape) for name, shape in self.shapes.items()}
        said = ", ".join(f"{letter} = {number}" for letter, number in sizes.items())
        note = f"read at the sizes {said}, since it cannot be for all" if said else ""
        return replace(self, shapes=shapes, notes=(*self.notes, *([note] if note else [])))


def name_of_function(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", type(function).__name__)
    return "the function" if name == "<lambda>" else name


# --- Arguments


def subject_of(function: Callable[..., Any], shape: Shapes, args: Examples) -> Subject:
    """The function with its variables: those that have a shape, or an example that is an array or a float."""
    if not callable(function):
        raise ValueError(f"A formula or a function has a derivative; got {type(function).__name__}.")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise ValueError(
            f"The arguments of {name_of_function(function)} have no names. Give a function that names them, such as "
            "lambda X: …"
        ) from None
    said = name_of_function(function)
    parameters = signature.parameters
    examples, shapes = _examples(said, signature, args), shapes_of(shape)
    if twice := examples.keys() & shapes.keys():
        raise ValueError(f"Give the shape of {min(twice)} or an example of it, not both.")
    for name in (*examples, *shapes):
        if name not in parameters or parameters[name].kind in (inspect.Parameter.VAR_POSITIONAL, _KEYWORDS):
            raise ValueError(f"{name} is no argument of {said}; its arguments are {', '.join(parameters) or 'none'}.")
    fixed = {name: value for name, value in examples.items() if isinstance(value, bool | int | np.integer | str | None)}
    arrays = {name: _array(said, name, value) for name, value in examples.items() if name not in fixed}
    letters = _letters(arrays, [name_of(name) for name in parameters])
    found: dict[str, Shape] = {
        name: tuple([letters.get(n, n) for n in map(int, a.shape)]) for name, a in arrays.items()
    }
    found |= shapes
    for name, parameter in parameters.items():
        is_open = parameter.kind in (inspect.Parameter.VAR_POSITIONAL, _KEYWORDS)
        if name not in found and name not in fixed and not is_open and parameter.default is parameter.empty:
            raise ValueError(f'{said} needs {name}: give its shape, as in shape={{"{name}": ("n",)}}, or args=(…).')
    dtypes = {name: a.dtype for name, a in arrays.items()}
    variables = {name: found[name] for name in parameters if name in found}
    names = {name: name_of(name) for name in variables}
    _check_names(names, variables)
    return Subject(function, signature, variables, dtypes, fixed, arrays, names)


_KEYWORDS = inspect.Parameter.VAR_KEYWORD


def _examples(said: str, signature: inspect.Signature, args: Examples) -> dict[str, Any]:
    if args is None or isinstance(args, Mapping):
        return dict(args or {})
    if not isinstance(args, tuple | list):
        args = (args,)
    try:
        bound = signature.bind_partial(*args)
    except TypeError as error:
        raise ValueError(f"args are not arguments of {said}: {error}.") from None
    return dict(bound.arguments)


def _array(said: str, name: str, value: Any) -> Any:
    """An example as an array of floating point numbers."""
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError):
        array = None
    if array is None or array.dtype.kind not in "fiubV":
        raise ValueError(f"{name} of {said} must be an array of real numbers; got {type(value).__name__}.")
    return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(float)


def _letters(arrays: Mapping[str, Any], taken: Sequence[str]) -> dict[int, str]:
    """A letter for every size but 1: equal sizes are the same letter."""
    sizes = dict.fromkeys(size for array in arrays.values() for size in array.shape if size != 1)
    free = [letter for letter in LETTERS if letter not in taken]
    return dict(zip(sizes, free, strict=False))


def _check_names(names: Mapping[str, str], shapes: Mapping[str, Shape]) -> None:
    for name, meant in names.items():
        if meant == "I" or meant in FUNCTIONS:
            raise ValueError(
                f"An argument named {name} cannot be told from {meant} in a formula; give it another name."
            )
    twice = [name for name, meant in names.items() if list(names.values()).count(meant) > 1]
    if twice:
        raise ValueError(f"The arguments {' and '.join(twice)} are both {names[twice[0]]} in a formula; rename one.")
    for name, shape in shapes.items():
        for size in shape:
            if isinstance(size, int) and size < 1:
                raise ValueError(f"A size must be at least 1; {name} has {size}.")
            if isinstance(size, str) and (not size.isidentifier() or size in names.values()):
                raise ValueError(f"A size is a number or a name of its own, such as n; {name} has {size!r}.")
