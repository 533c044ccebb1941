"""Who says what a derivative is: finite differences of f in float64, and f in ball arithmetic.

JAX's own derivative is the third; it needs nothing that is not in `Runs`.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from matcalc.referee.ball_numbers import Budget, Unknown, ball, balls, digits, rounded
from matcalc.referee.constants import (
    AGREES,
    APPROXIMATED,
    AS_GOOD,
    BASIS_UP_TO,
    FD_BEST,
    FD_SAFETY,
    FEW_STEPS,
    FINE_STEPS,
    FIRST_STEP,
    KINK_STEPS,
    LADDER_STEPS,
    NEARER,
    PRECISE_STEP,
    PROBED,
    QUICK_DIRECTIONS,
    QUICK_STEP,
    QUICK_STEPS_OF_SMALL,
    RANDOM_DIRECTIONS,
    SAME_SLOPE,
    WITNESSED,
)
from matcalc.referee.differences import Estimate, basis, finite_differences
from matcalc.referee.precise import evaluate
from matcalc.referee.programs import Array, Arrays, Raised
from matcalc.referee.runs import Runs
from matcalc.referee.tolerances import norm


class Differences:
    """Finite differences of f, each variable in units of its largest entry.

    `is_only` says that JAX has no derivative, and `is_locating` that every entry is asked for, as the claim is known to
    be off.
    """

    def __init__(self, runs: Runs, *, is_only: bool, is_locating: bool) -> None:
        self.runs, self.space, self.is_only, self.is_locating = runs, runs.space, is_only, is_locating

    @functools.cached_property
    def quick(self) -> Estimate:
        """At one step or few, along one direction or two: enough where they confirm a derivative."""
        return self._quick(QUICK_STEP)

    @functools.cached_property
    def nearer(self) -> Estimate:
        """The same at a smaller step, at which a kink bends as much as it did, and a smooth function less."""
        return self._quick(QUICK_STEP / NEARER)

    def _quick(self, step: float) -> Estimate:
        n, spec = self.space.entries, self.runs.subject.spec
        count = min(n, QUICK_DIRECTIONS) if n <= BASIS_UP_TO else 1
        V = self.space.confined(self.runs.subject.random("quick differences"), count)
        steps = QUICK_STEPS_OF_SMALL if spec.is_hasty and spec.by == "jax" else 1
        first = 2.0 ** (steps - 1) * step / math.sqrt(n)
        return self.at(self.runs.exact, directions=V, first=first, steps=steps)

    @functools.cached_property
    def probe(self) -> Estimate:
        """At all steps, along one random direction of each group of variables."""
        V = self.space.confined(self.runs.subject.random("probe"), 1)
        return self.at(self.runs.exact, directions=V, steps=FINE_STEPS)

    @functools.cached_property
    def fine(self) -> Estimate:
        """Along every axis or, of many entries, along random directions."""
        return self.like_fine(self.runs.exact)

    def like_fine(self, arrays: Arrays) -> Estimate:
        """The same at another point: at a few steps where those are enough, or all that can be had, else at all."""
        first, is_enough = self._few
        if is_enough or self.is_located:
            few = self.at(arrays, directions=self.directions, first=first, steps=FEW_STEPS)
            parts = [few.part(part) for part in self.space.parts(few)]
            if self.is_located or (all(map(self._is_seen, parts)) and few.kink(FEW_STEPS - 1) is None):
                return few
        return self.at(arrays, directions=self.directions, steps=FINE_STEPS)

    def _is_seen(self, few: Estimate) -> bool:
        """Whether a few steps see about as much as all do: what the derivative is, or that it vanishes."""
        coarse = max(AGREES, AS_GOOD * self.runs.u_of_f)
        enough = max(APPROXIMATED / FD_SAFETY, min(AS_GOOD * self.probe.spread, coarse))
        size = norm(few.values) + norm(few.errors)
        return few.spread <= enough or size <= FD_BEST * self.probe.largest * math.sqrt(len(few.directions))

    @functools.cached_property
    def _few(self) -> tuple[float, bool]:
        """The first of a few steps, and whether they see the derivative as well as all do.

        Where there is no other witness, values of f are all that a check costs. Along a random direction every kink
        and every jump shows that shows along an axis.
        """
        if not self.is_only or len(self.directions) <= PROBED:
            return FIRST_STEP, False
        k, is_enough = self.probe.best_window(self.space.order, FEW_STEPS)
        is_smooth = self.probe.kink(KINK_STEPS) is None and self.probe.jump(KINK_STEPS) is None
        return FIRST_STEP * 0.5**k, is_enough and is_smooth

    @property
    def is_located(self) -> bool:
        """Whether each of many entries is asked for."""
        return self.is_locating and self.is_only and BASIS_UP_TO < self.space.basis_size <= WITNESSED

    @functools.cached_property
    def directions(self) -> Array:
        """Those of `fine`."""
        n, order = self.space.entries, self.space.order
        if self.space.basis_size <= BASIS_UP_TO or self.is_located:
            return basis(n, order)
        random = self.runs.subject.random("fine differences")
        if order == 1:
            return self.space.confined(random, max(RANDOM_DIRECTIONS // len(self.space.groups), 2))
        return random.standard_normal((RANDOM_DIRECTIONS, n))

    @property
    def kink(self) -> tuple[float, float] | None:
        """The one-sided slopes of f, where it has a kink at this point."""
        return self._at_all_steps.kink(KINK_STEPS)

    @property
    def jump(self) -> float | None:
        """By how much f jumps at this point, if it does."""
        return self._at_all_steps.jump(KINK_STEPS)

    @property
    def roughness(self) -> float:
        """How far values of f scatter, relatively, where a smooth function is a line."""
        return self._at_all_steps.roughness

    @property
    def _at_all_steps(self) -> Estimate:
        return self.fine if len(self.fine.steps) == FINE_STEPS else self.probe

    @functools.cached_property
    def ladder(self) -> Estimate:
        """Along one direction from large steps to small ones: what shows in the report of a gradient that is off."""
        n = self.space.entries
        V = self.runs.subject.random("ladder").standard_normal((1, n)) / math.sqrt(n)
        return self.at(self.runs.exact, directions=V, steps=LADDER_STEPS)

    def at(self, arrays: Arrays, *, directions: Array, **options: Any) -> Estimate:
        """Finite differences at a point along directions, brought into the domain."""
        runs, scales = self.runs, self.space.scales
        start = runs.subject.start(arrays)

        def f(point: Array) -> Array:
            if point is origin and arrays is runs.exact:
                return runs.centre[0].astype(np.float64)
            parts = zip(scales, self.space.split(point), start, strict=True)
            variables = [(s * part).astype(v.dtype) for s, part, v in parts]
            try:
                return runs.value(variables, arrays)[0].astype(np.float64)
            except Raised:  # that far away f may have no value, and smaller steps do without
                return np.full(runs.centre[0].shape, np.nan)

        origin = np.concatenate([v.ravel() / s for v, s in zip(start, scales, strict=True)])
        V = self.space.inside(directions)
        return finite_differences(f, origin, self.space.order, directions=V, eps=2 * runs.u_of_f, **options)

    def size_about(self) -> float:
        """The size that f has about this point."""
        V = self.space.confined(self.runs.subject.random("size of zero"), 1)
        right = self.at(self.runs.exact, directions=V, steps=1).right
        return float(np.max(np.abs(right[np.isfinite(right)]), initial=0.0))


class Precise:
    """Differences of f in ball arithmetic, at a step so small that what they leave out is nothing in float64.

    It shares nothing with JAX but what the operations are called. Raised where f cannot be followed, and where it has
    a kink or jumps.
    """

    def __init__(self, runs: Runs, directions: Array) -> None:
        self.runs, self.directions, self.budget = runs, directions, Budget()

    def at(self, arrays: Arrays) -> Estimate:
        """The derivative at a point along the directions."""
        try:
            return self._at(arrays)
        except Unknown as error:
            raise Raised(f"in ball arithmetic: {error}") from None

    def _at(self, arrays: Arrays) -> Estimate:
        runs, space = self.runs, self.runs.space
        start = runs.subject.start(arrays)
        program = runs.of_value.traced(start, arrays, runs.tangents(np.float64))
        if program is None:
            raise Unknown("f is no program of JAX")
        others = [np.asarray(a) for a in (*arrays, *runs.tangents(np.float64))]
        V = space.inside(self.directions)
        with digits():
            step = ball(PRECISE_STEP)
            exact = balls(np.concatenate([v.astype(np.float64).ravel() for v in start]))
            scales = np.concatenate([np.full(v.size, s) for v, s in zip(start, space.scales, strict=True)])

            def f(v: Array | None) -> Array:
                point = exact if v is None else exact + balls(v) * balls(scales)
                return evaluate(program, [*space.split(point), *others], self.budget)[0]

            centre = f(None)
            values = np.stack([self._along(f, v, centre, step) for v in V])
        if not np.all(np.isfinite(values)):
            raise Unknown("it is not finite")
        nothing = np.empty((0, *values.shape))
        errors = FD_BEST * np.sqrt(np.sum(values.reshape(len(V), -1) ** 2, axis=1))
        return Estimate(V, values, errors, np.empty(0), nothing, nothing, values, np.empty((0, len(V))))

    def _along(self, f: Callable[[Array | None], Array], v: Array, centre: Array, step: Any) -> Array:
        """The derivative along one direction."""
        h = np.full(v.shape, step, object)
        ahead, behind = f(balls(v) * h), f(-balls(v) * h)
        if self.runs.order == 2:
            return rounded((ahead - 2 * centre + behind) / step**2)
        after, before = rounded((ahead - centre) / step), rounded((centre - behind) / step)
        if np.any(np.abs(after - before) > SAME_SLOPE * (np.abs(after) + np.abs(before)) + float(step) ** 0.5):
            raise Unknown("f has a kink or jumps")
        return rounded((ahead - behind) / (2 * step))
