"""Every number of the referee that was chosen or measured, with what it was measured on.

"The study" is `bench/referee.py`: 204 functions at 531 sizes from 1 to 256 with 6700 planted mistakes; "the catalogue"
is all identities in all kinds at fourteen random points each.
"""

# --- The tolerance, SAFETY · u · (1 + κ)

SAFETY = 64  # over the catalogue and the study, the error of a right answer stays below 14 u (1 + κ)
FINE, COARSE_SAFETY = 2.0**-22, 8  # numbers with fewer bits: seven functions in 16 bits stay below 3.1 u (1 + κ)
PRODUCTS_SAFETY = 4  # products in TF32 or bfloat16, summed in float32: the catalogue stays below 1.2 u (1 + κ)
APPROXIMATED = 1e-9  # what library functions may be off by: jax.scipy.linalg.expm is off by 2e-10 at some matrices
MEANINGLESS = 0.1  # a comparison that allows this much proves nothing
TINY = 1e-200  # sums of squares from here to its inverse are exact to rounding

# --- Finite differences

FIRST_STEP = 0.25  # of the size of x
STEPS = 26  # from there down to 2⁻²⁷ of it: what happens at a scale between is seen
FINE_STEPS = 40  # down to 2⁻⁴¹: where f is ill-conditioned only the smallest are small enough
FEW_STEPS = 4  # next to each other, that see about as much of a smooth function
AS_GOOD = 100  # times less is seen at these steps than at all, and that is about as much
PROBED = 4  # directions, above which it is worth looking along one for where these steps are
LINE = 2.0**-32  # of the size of x, a step below which a smooth function bends as a parabola
SMALLEST = 12  # steps, below 2⁻²⁸, at which nearly every smooth function is
COARSE = 10  # ε of the dtype, beyond which f is seen to be less accurate than that
LADDER_STEPS = 20  # of the Taylor remainders that a report shows
QUICK_STEP = 2.0**-13  # that confirms a derivative where f is smooth; many where it does not
NEARER = 16  # times, that a function which bends is looked at once more: half a smooth bend is left at half the step
QUICK_STEPS_OF_SMALL = 5  # down to it, where values cost nothing beside compilation: errors of 1e-9 become 1e-11
QUICK_DIRECTIONS = 2
EXTRAPOLATIONS = 8
FD_BEST = 1e-12  # the relative error that finite differences have at best
FD_SAFETY = 10  # how far beyond their own estimate finite differences may be off, over the catalogue
SMOOTH = 1e-3  # bend over slope, of a smooth function at the quick step
NOISE = 10  # how far beyond what is seen of it noise may reach
ROUNDINGS = 100  # ε of the values, that a bend has to exceed to be one
LEVEL, CLIMBED, BISECTIONS = 3, 2, 30  # steps at which f is level; directions, and halvings, to find its stairs by
OUTWARD = 50  # doublings of the largest step, to where f that is level at every step may change
LEAPS, GROWS = 30, (3, 30)  # of a rest at half the step: a smooth one is 4 to 8 times; over three steps from there on
CLIMBS = 1e-3  # of the change at twice the step, that a stair is at least; where f bends, halving leaves 1e-9 of it
BASIS_UP_TO = 32  # entries of x; above that, random directions instead of every one
RANDOM_DIRECTIONS = 16
WITNESSED = 1024  # directions, up to which differences take every one, to locate an error where JAX has no derivative
GROUPS = 8  # of variables, that finite differences move apart from each other

# --- Kinks: the bend of a kink stays as steps are halved, while that of a smooth function halves too

KINK_STEPS = 8  # over so many steps it has to stay; a smooth one falls to 1/256
STAYS = (0.8, 1.25)  # from step to step
BENT = 1e-3  # of the slopes on both sides, that a bend is at least
DRAWN = 0.5  # of itself, to which a bend has fallen that is no kink at the point but near it
SEEN = 0.1  # of a bend, below which rounding has to be where that is told

# --- Where a derivative vanishes to rounding

VANISHING = 1e-6  # of what f makes of a change, below which finite differences see nothing of it
SMALL = 1e-3  # of the size of f over that of the variable: a derivative that is larger does not vanish
STEEP = 1e5  # a condition number beyond which a derivative that is small is lost in rounding, or soon will be
LINEAR = 8  # the change of such a derivative over that of the arguments is the same at two steps, within this factor
MOVED = 2.0**-4  # that the arguments move, relatively, to a point where it is seen: with κ = 2⁴ a digit is lost

# --- f in ball arithmetic

PRECISE_STEP = 2.0**-100  # what differences leave out is 1e-60 of a derivative, and rounding at 80 digits 1e-50
SAME_SLOPE = 1e-9  # one-sided slopes differ by 1e-30 where f is smooth

# --- Agreement of witnesses

AGREES = 1e-6  # a wrong rule of JAX is off by more, and what a library function is approximated to is less
CONFIRMED = 1000  # times what finite differences confirm; a claim that is farther off than that is wrong
ASYMMETRIC = 1e-6  # of a claimed Hessian, where along single directions only it can be compared
REPEATED_VALUE = 1e-8  # of the largest, by which two eigenvalues differ that are called equal
REPEATED = 1e-6  # what may change between two runs: the order of a sum, and no more
AGAIN = 3  # times that a function is run or traced once more; a random mask of few entries can be the same twice

# --- Condition numbers, by relative changes of the arguments

FINE_STEP = 2.0**-26  # by which they are measured in float64,
FINEST_STEP = 2.0**-39  # and where all of the derivative changes with it, this one
COARSE_STEP = 2.0**-10  # or where the dtype resolves no less, this one
FAR_STEP = 2.0**-13  # that a point nearby is away at least, before anything is called wrong
SUSPICIONS = 8  # such changes, before a gradient is called wrong
BLURRED = 2  # a condition number from which on more is seen in float64 than in the dtype asked for

# --- Large derivatives

TANGENTS = 3  # along so many random tangents a pushforward is examined, and a pullback at so many cotangents
DENSE = 64  # passes that a Jacobian may take; of a larger one, random projections are compared
LOCATED = 2**22  # entries of a Jacobian that is computed in full to find where it is wrong
HASTY_PASSES = 64  # of forward mode, of which there is less to compile than of reverse mode

# --- Causes

GONE = 8  # an explanation leaves at most this fraction of the discrepancy
SINGLE = 4  # entries that are off at most, for the cause to be single entries
SECOND = 2.0**-4  # relative change of the arguments to a second point, at which a cause must hold too
FAR = 0.5  # relative change of the variables by which a constant is told
GENERAL = 0.3  # of its size, by which a matrix is moved to a general one
SITES = 96  # places in a program that can be changed; one with more is not searched
