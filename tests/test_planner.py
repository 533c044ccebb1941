"""The planner: cheapest orders, no more operations than written, and nothing touched that it does not understand."""

import functools
import itertools
import math

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import matcalc
from matcalc import reassociate
from matcalc.planner import _search
from matcalc.planner.search import TRAFFIC, Space, Term, cheapest

SIZES = (1, 2, 3, 5, 8)


# --- Against exhaustive search over chains of matrices


def chains(rng, terms, factors):
    """A random sum of chains of matrices, some transposed, some the same; with the shapes of the matrices."""
    shapes: dict[str, tuple[int, int]] = {}
    rows, columns = rng.choice(SIZES, 2)

    def factor(m, n):
        known = [(name, t) for name, s in shapes.items() for t in (False, True) if (s[::-1] if t else s) == (m, n)]
        if known and rng.random() < 0.6:
            return known[rng.integers(len(known))]
        name, transposed = f"M{len(shapes):02}", bool(rng.random() < 0.3)
        shapes[name] = (n, m) if transposed else (m, n)
        return name, transposed

    def chain():
        sizes = [rows, *rng.choice(SIZES, rng.integers(factors)), columns]
        return tuple(factor(int(m), int(n)) for m, n in itertools.pairwise(sizes))

    return [(int(rng.choice([1, -1])), chain()) for _ in range(terms)], shapes


def exhaustive(terms, shapes):
    """The least cost, by writing down every plan: each a set of what is computed, with its cost."""

    def size_of(chain):
        first, last = of(chain[0]), of(chain[-1])
        return first[0], last[1]

    def of(factor):
        name, transposed = factor
        m, n = shapes[name] if isinstance(name, str) else size_of(name[0][1])
        return (n, m) if transposed else (m, n)

    def turned(chain):
        return tuple((name, not transposed) for name, transposed in reversed(chain))

    def one_of(chain):
        return min(chain, turned(chain), key=repr)

    def sum_of(group):
        """A sum as a factor: the same up to transposition, then with whether it is transposed."""
        straight = tuple(sorted(group, key=repr))
        other = tuple(sorted(((sign, turned(chain)) for sign, chain in group), key=repr))
        return (straight, False) if repr(straight) <= repr(other) else (other, True)

    @functools.cache
    def of_chain(chain):
        if len(chain) == 1:
            name, _ = chain[0]
            return (frozenset(),) if isinstance(name, str) else of_sum(name)
        if one_of(chain) != chain:
            return of_chain(one_of(chain))
        (m, n), plans = size_of(chain), set()
        for k in range(1, len(chain)):
            left, right = chain[:k], chain[k:]
            inner = size_of(left)[1]
            own = (("chain", chain, k), m * inner * n + TRAFFIC * (m * inner + inner * n + m * n))
            plans |= {p | q | {own} for p in of_chain(left) for q in of_chain(right)}
        return tuple(plans)

    @functools.cache
    def of_sum(group):
        if len(group) == 1 and group[0][0] == 1:
            return of_chain(group[0][1])
        size, terms = math.prod(size_of(group[0][1])), len(group)
        own = (("sum", group), (terms - 1) * size + TRAFFIC * (terms + 1) * size)
        plans = {
            frozenset().union(*parts, [own]) for parts in itertools.product(*(of_chain(chain) for _, chain in group))
        }
        for many in range(2, len(group) + 1):
            for chosen in itertools.combinations(range(len(group)), many):
                members = [group[k] for k in chosen]
                rest = [group[k] for k in range(len(group)) if k not in chosen]
                for length in range(1, min(len(chain) for _, chain in members)):
                    heads, tails = {c[:length] for _, c in members}, {c[-length:] for _, c in members}
                    if len(heads) == 1:
                        inner = sum_of([(sign, chain[length:]) for sign, chain in members])
                        plans |= set(of_sum(sum_of([*rest, (1, (*heads.pop(), inner))])[0]))
                    if len(tails) == 1:
                        inner = sum_of([(sign, chain[:-length]) for sign, chain in members])
                        plans |= set(of_sum(sum_of([*rest, (1, (inner, *tails.pop()))])[0]))
        return tuple(plans)

    return min(sum(cost for _, cost in plan) for plan in of_sum(sum_of(terms)[0]))


def planned(terms, shapes):
    space = Space()

    def term(sign, chain):
        labels = range(len(chain) + 1)
        pairs = [(i, j) if not t else (j, i) for (i, j), (_, t) in zip(itertools.pairwise(labels), chain, strict=True)]
        factors = tuple((space.array(name, shapes[name]), pair) for (name, _), pair in zip(chain, pairs, strict=True))
        return Term(sign, factors, (0, len(chain)))

    return cheapest(space, [space.sum([term(*t) for t in terms]).node])


@pytest.mark.parametrize(
    ("terms", "factors", "cases"), [(1, 6, 200), (2, 6, 100), (3, 5, 100), (4, 4, 100), (4, 6, 20)]
)
def test_the_plan_is_the_cheapest_of_all(terms, factors, cases):
    rng = np.random.default_rng([terms, factors])
    for _ in range(cases):
        drawn, shapes = chains(rng, terms, factors)
        assert planned(drawn, shapes).cost == exhaustive(drawn, shapes), (drawn, shapes)


# --- Of functions


def operations(jaxpr):
    """Multiply-adds, and additions and multiplications entry by entry, of all that is needed, in the program itself."""
    total, needed = 0, {id(atom) for atom in jaxpr.outvars}
    for eqn in reversed(jaxpr.eqns):
        if not any(id(var) in needed for var in eqn.outvars):
            continue
        needed |= {id(atom) for atom in eqn.invars}
        out = math.prod(eqn.outvars[0].aval.shape)
        if eqn.primitive.name == "dot_general":
            total += out * math.prod(eqn.invars[0].aval.shape[i] for i in eqn.params["dimension_numbers"][0][0])
        elif eqn.primitive.name in ("add", "sub", "mul", "add_any"):
            total += out
        elif eqn.params.get("name") == "trace":
            total += eqn.invars[0].aval.shape[0]
    return total


def expression(rng, sizes=SIZES):
    """A random function of matrices, vectors and scalars in sums of products, and arguments of it."""
    shapes = {f"{kind}{k}": tuple(map(int, rng.choice(sizes, rank))) for k in range(3) for kind, rank in RANKS.items()}
    pool = [(name, shape) for name, shape in shapes.items()]
    steps = []
    for _ in range(rng.integers(10, 60)):
        (a, s), (b, t) = (pool[i] for i in len(pool) - 1 - rng.integers(min(len(pool), 12), size=2))
        choices = []
        if s and t and s[-1] == t[0] and len(s) + len(t) > 1:
            choices += [("matmul", s[:-1] + t[1:])] * 4
        if s == t:
            choices += [("add", s), ("sub", s)]
        if len(s) == 2:
            choices += [("transpose", s[::-1])] + [("trace", ())] * (s[0] == s[1])
        if not s or not t:
            choices += [("scale", s or t)]
        if choices:
            what, shape = choices[rng.integers(len(choices))]
            pool.append((len(pool), shape))
            steps.append((what, a, b))
    made = [name for name, _ in pool if not isinstance(name, str)]
    asked = made[-2:]

    def fun(args):
        values = dict(args)
        for name, (what, a, b) in zip(made, steps, strict=True):
            values[name] = DO[what](values[a], values[b])
        return [values[name] for name in asked]

    return fun, {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


DO = {
    "matmul": lambda x, y: x @ y,
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "scale": lambda x, y: x * y,
    "trace": lambda x, _: jnp.trace(x),
    "transpose": lambda x, _: x.T,
}
RANKS = {"M": 2, "N": 2, "v": 1, "s": 0}


def test_it_never_takes_more_operations_than_written():
    rng, fewer = np.random.default_rng(0), 0
    for _ in range(1000):
        fun, args = expression(rng)
        written, planned = (operations(jax.make_jaxpr(f)(args).jaxpr) for f in (fun, reassociate(fun)))
        assert planned <= written
        fewer += planned < written
    assert fewer > 200


def test_it_computes_the_same():
    rng = np.random.default_rng(1)
    for _ in range(100):
        fun, args = expression(rng, sizes=(1, 2))  # few, as every shape is compiled
        for got, want in zip(reassociate(fun)(args), fun(args), strict=True):
            size = max(float(np.max(np.abs(want), initial=0)), 1.0)
            assert got.shape == want.shape
            assert got.dtype == want.dtype
            assert np.max(np.abs(got - want), initial=0) <= 1e-4 * size


# --- Of what it does not understand


def cond(A, B, x):
    return jax.lax.cond(x[0] > 0, lambda: A @ B @ x, lambda: x)


def loop(A, B, x):
    return jax.lax.fori_loop(0, 3, lambda _, v: A @ (B @ v), x)


def scan(A, B, x):
    return jax.lax.scan(lambda v, a: (a * v + A @ x, jnp.sum(v)), x, jnp.arange(4, dtype=x.dtype))


@jax.custom_jvp
def twice(x):
    return 2 * x


@twice.defjvp
def twice_jvp(primals, tangents):
    return twice(*primals), 3 * tangents[0]  # not the derivative, so that it shows which is used


def custom(A, B, x):
    return jnp.sum(twice(A @ B @ x) ** 2)


def convolution(A, B, x):
    return jnp.convolve(A @ B @ x, x, mode="same")


def random(A, B, x):
    return A @ B @ x + jax.random.normal(jax.random.key(0), x.shape, x.dtype)


def sharded(A, B, x):
    mesh = jax.make_mesh((1,), ("a",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("a"))
    return jax.lax.with_sharding_constraint(A @ B @ x, spec)


def mixed(A, B, x):
    y = jnp.tanh(A @ B @ x)
    return {"sum": jnp.sum(y), "sorted": jnp.sort(y), "index": jnp.argmax(y), "inverse": jnp.linalg.inv(A) @ B @ x}


def inner(A, B, x):
    return jax.jit(lambda A, B, x: A @ B @ x)(A, B, x), jax.checkpoint(lambda x: jnp.sin(A @ x))(x)


OTHERS = [cond, loop, scan, custom, convolution, random, sharded, mixed, inner]
A, B, x = (np.random.default_rng(0).standard_normal(s).astype(np.float32) for s in ((4, 4), (4, 4), (4,)))


def agree(got, want):
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("fun", OTHERS)
def test_everything_else_stays_what_it_is(fun):
    agree(reassociate(fun)(A, B, x), fun(A, B, x))
    agree(jax.jit(reassociate(fun))(A, B, x), fun(A, B, x))
    agree(reassociate(jax.jit(fun))(A, B, x), fun(A, B, x))


@pytest.mark.parametrize("fun", [loop, custom, convolution, inner])
def test_it_can_be_differentiated_and_mapped(fun):
    def total(fun):
        return lambda *args: sum(jnp.sum(leaf) for leaf in jax.tree.leaves(fun(*args)))

    agree(jax.jacfwd(reassociate(fun))(A, B, x), jax.jacfwd(fun)(A, B, x))
    agree(jax.jacfwd(jax.grad(reassociate(total(fun)), 1))(A, B, x), jax.jacfwd(jax.grad(total(fun), 1))(A, B, x))
    agree(reassociate(jax.grad(total(fun), (0, 1, 2)))(A, B, x), jax.grad(total(fun), (0, 1, 2))(A, B, x))
    batch = np.stack([x, 2 * x])
    mapped = jax.vmap(fun, (None, None, 0))
    agree(jax.vmap(reassociate(fun), (None, None, 0))(A, B, batch), mapped(A, B, batch))
    agree(reassociate(mapped)(A, B, batch), mapped(A, B, batch))
    agree(jax.lax.map(lambda v: reassociate(fun)(A, B, v), batch), mapped(A, B, batch))


def test_effects_stay_and_keep_their_order():
    seen = []

    def fun(x):
        for k in range(3):
            jax.debug.callback(lambda k=k: seen.append(k), ordered=True)
        return x.T @ (x @ x) @ x

    jax.block_until_ready(reassociate(fun)(A))
    jax.effects_barrier()
    assert seen == [0, 1, 2]


def test_what_gains_nothing_is_the_same_program():
    def layer(W, b, x):
        return jnp.sum(jax.nn.relu(W @ x + b) * 2)

    assert str(jax.make_jaxpr(reassociate(layer))(A, x, x)) == str(jax.make_jaxpr(layer)(A, x, x))


@pytest.mark.parametrize(
    ("diagonal", "dtype"),
    [([100] * 3, jnp.int8), ([True] * 3, bool), ([6e4, 6e4, -6e4], jnp.float16), ([256] + 7 * [1], jnp.bfloat16),
     ([2, 3], jnp.complex64)],
)  # fmt: skip
def test_traces_are_as_jax_has_them(diagonal, dtype):
    X = jnp.diag(jnp.array(diagonal, dtype))
    for matrix in (X, jnp.broadcast_to(X[..., None], (*X.shape, 4))):
        expected, found = jnp.trace(matrix), reassociate(jnp.trace)(matrix)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


WEAK = jnp.broadcast_to(jnp.asarray(2.0), (12, 12))  # of a dtype that gives way, as that of a number of Python


@pytest.mark.parametrize(
    "fun",
    [
        lambda A: (A @ A, 2.0),
        lambda A: A * 2.0 * 3.0 * A[0, 0],
        lambda A: jnp.linalg.inv(A + jnp.eye(12)) @ A @ A[0],
        lambda A: jnp.trace(A[:3, :3]),
        lambda A: jnp.trace(A @ A @ A),
    ],
)
def test_dtypes_give_way_as_they_did(fun):
    for transform in (lambda f: f, jax.jit):
        for A in (WEAK, jnp.eye(12)):
            expected, found = (jax.tree.leaves(transform(f)(A)) for f in (fun, reassociate(fun)))
            assert [(x.dtype, x.weak_type) for x in map(jnp.asarray, found)] == [
                (x.dtype, x.weak_type) for x in map(jnp.asarray, expected)
            ]


@pytest.mark.parametrize(
    ("fun", "shapes", "parts"),
    [
        (lambda B, A: B @ A, [(4, 4), (4, 4)], [(None, None), ("rows", None)]),
        (lambda A, B: jnp.linalg.inv(A + 2 * jnp.eye(12)) @ B, [(12, 12), (12, 12)], [(None, None), ("rows", None)]),
        (lambda A, B, C: A @ (B @ C), [(4, 90), (90, 90), (90, 90)], [("rows", None), (None, None), (None, None)]),
        (lambda v, A: jnp.diag(v) @ A, [(8,), (8, 8)], [(None,), ("rows", None)]),
    ],
)
def test_arrays_keep_the_axes_of_a_mesh_in_their_types(fun, shapes, parts):
    mesh = jax.make_mesh((1,), ("rows",), axis_types=(jax.sharding.AxisType.Explicit,))
    with jax.set_mesh(mesh):
        arrays = [jax.device_put(jnp.ones(shape), jax.P(*part)) for shape, part in zip(shapes, parts, strict=True)]
        assert jax.typeof(reassociate(fun)(*arrays)) == jax.typeof(fun(*arrays))


def test_arrays_of_numpy_become_those_of_jax():
    found = reassociate(jnp.asarray)(np.arange(4.0))
    assert isinstance(found, jax.Array)
    assert found.dtype == jnp.result_type(float)
    with np.errstate(all="raise"):
        assert reassociate(jnp.trace)(np.diag(np.float32([3e38, 3e38]))) == np.inf


def test_arguments_with_a_dtype_that_are_no_arrays_stay_as_they_are():
    fun = reassociate(lambda A, x, dtype: (A @ A @ x).astype(dtype))
    assert fun(A, A[0], dtype=jnp.bfloat16).dtype == jnp.bfloat16
    assert reassociate(lambda names, A: len(names) * A)(np.array(["a", "b"]), A)[0, 0] == 2 * A[0, 0]
    with pytest.raises(TypeError, match="reassociate takes a function, got int"):
        reassociate(3)


@pytest.mark.parametrize("fun", [reassociate(lambda A, B: A @ B @ A + jnp.trace(A) * jnp.linalg.inv(A)), matcalc.tr_ax])
def test_sizes_can_be_unknown(fun):
    (size,) = jax.export.symbolic_shape("n")
    unknown = jax.ShapeDtypeStruct((size, size), jnp.float32)
    exported = jax.export.export(jax.jit(fun))(unknown, unknown)
    arrays = [np.float32(A), np.float32(B)]
    agree(exported.call(*arrays), fun(*arrays))


def test_numbers_of_64_bits_stay_so_where_they_are_asked_for_inside():
    def fun(A, x):
        with jax.enable_x64(True):
            A, x = A.astype(jnp.float64), x.astype(jnp.float64)
            return A @ A @ x, ((A @ x) * jnp.float64(3)).astype(jnp.float32)

    arrays = np.ones((20, 20), np.float32), np.ones(20, np.float32)
    assert [x.dtype for x in reassociate(fun)(*arrays)] == [np.float64, np.float32]
    agree(reassociate(fun)(*arrays), fun(*arrays))


def test_a_trace_of_a_product_in_float16_overflows_no_earlier():
    rows = jnp.float16([[300, -300], [300, -300]]), jnp.float16([[300, 300], [300, 300]])
    arrays = [jnp.tile(each, (10, 10)) for each in rows]
    assert reassociate(lambda A, B: jnp.trace(A @ B))(*arrays) == 0


def test_what_counts_anew_is_no_identity():
    def fun(A):
        rows, columns = (lax.broadcasted_iota(jnp.uint8, (300, 300), axis) for axis in (0, 1))
        return (rows == columns).astype(jnp.float32) @ A

    A = jnp.ones((300, 3), jnp.float32)
    agree(reassociate(fun)(A), fun(A))


# --- What it finds


def program(fun, *shapes):
    return jax.make_jaxpr(reassociate(fun))(*(jnp.ones(shape) for shape in shapes)).jaxpr


def test_chains():
    jaxpr = program(lambda A, B, x: A @ B @ x, (50, 60), (60, 70), (70,))
    assert operations(jaxpr) == 60 * 70 + 50 * 60
    jaxpr = program(lambda x, y, A: jnp.outer(x, y) @ A, (50,), (60,), (60, 70))
    assert operations(jaxpr) == 60 * 70 + 50 * 70


def test_jitted_functions_of_products_are_seen_through():
    product = jax.jit(lambda A, B: A @ B)
    jaxpr = program(lambda A, B, x: product(A, product(B, x)), (50, 60), (60, 70), (70, 1))
    assert not [eqn for eqn in jaxpr.eqns if eqn.primitive.name == "jit"]
    jaxpr = program(lambda A, B, x: jax.jit(lambda A, B: -product(A, B))(A, B) @ x, (50, 60), (60, 70), (70,))
    assert operations(jaxpr) == 60 * 70 + 50 * 60
    jaxpr = program(lambda A, x: jnp.linalg.matrix_power(A, 5) @ x, (50, 50), (50,))
    assert operations(jaxpr) == 5 * 50 * 50


@pytest.mark.parametrize(
    "inner",
    [
        jax.jit(lambda A, B: jnp.tanh(A @ B)),
        jax.jit(lambda A, B: A @ B, donate_argnums=0),
        jax.jit(lambda A, B: A @ B, out_shardings=jax.sharding.SingleDeviceSharding(jax.devices()[0])),
    ],
)
def test_other_jitted_functions_stay_as_they_are(inner):
    written = jax.make_jaxpr(lambda A, B, x: inner(A, B) @ x)
    arrays = jnp.ones((50, 60)), jnp.ones((60, 70)), jnp.ones(70)
    assert str(jax.make_jaxpr(reassociate(lambda A, B, x: inner(A, B) @ x))(*arrays)) == str(written(*arrays))


def test_a_product_that_is_used_twice_is_taken_once_up_to_transposition():
    jaxpr = program(lambda C, A, X: (C @ A @ X, (C @ A).T @ X), (9, 2), (2, 9), (9, 100))
    assert operations(jaxpr) == 2 * 9 * 2 * 100 * 2
    jaxpr = program(lambda C, A, X: (C @ A @ X, A.T @ C.T @ X), (9, 90), (90, 9), (9, 100))
    assert operations(jaxpr) == 9 * 90 * 9 + 2 * 9 * 9 * 100


def test_common_ends_are_factored():
    jaxpr = program(lambda P, Q, R: P @ Q - P @ R, (20, 30), (30, 40), (30, 40))
    assert operations(jaxpr) == 30 * 40 + 20 * 30 * 40


def test_a_trace_needs_no_last_product():
    jaxpr = program(lambda P, Q: jnp.trace(P @ Q), (20, 30), (30, 20))
    assert operations(jaxpr) == 20 * 30


def test_scalars_go_where_least_is_to_be_multiplied():
    jaxpr = program(lambda s, x, y: s * jnp.outer(x, y), (), (20,), (30,))
    assert operations(jaxpr) == 20 + 20 * 30
    jaxpr = program(lambda A, x, y: 2 * jnp.outer(A @ x, y), (20, 30), (30,), (40,))
    assert operations(jaxpr) == 20 * 30 + 20 + 20 * 40


@pytest.mark.parametrize(
    ("product", "shapes", "is_swapped"),
    [
        (lambda A, B: A.T @ B.T, [(30, 20), (40, 30)], True),
        (lambda A, B: A.T @ B.T, [(3, 20), (40, 3)], False),  # the result has more entries than both
        (lambda A, B: A.T @ B.T, [(9, 9), (30, 9)], False),  # nearly as many, and its copy takes memory
        (lambda A, B: A @ B.T, [(7, 30), (40, 30)], True),
        (lambda A, B: A @ B.T, [(40, 30), (7, 30)], False),
        (lambda A, B: A.T @ B, [(30, 40), (30, 7)], True),
        (lambda A, B: A.T @ B, [(30, 40), (30, 39)], False),
        (lambda A, B: A @ B, [(7, 30), (30, 40)], False),
        (lambda A, x: A.T @ x, [(30, 40), (30,)], True),
    ],
)
def test_the_factors_stand_in_the_order_that_copies_least(product, shapes, is_swapped):
    (dot,) = (eqn for eqn in program(product, *shapes).eqns if eqn.primitive.name == "dot_general")
    assert (dot.invars[0].aval.shape == shapes[1]) is is_swapped


def test_a_product_that_is_scaled_and_turned_is_turned_apart():
    """Measured with XLA: one pass that scales and turns 1024×1024 takes three times as long as two."""
    *_, scaled, waits, turned = program(lambda X: 3 * (X.T @ X.T), (9, 9)).eqns
    assert [eqn.primitive.name for eqn in (scaled, waits, turned)] == ["mul", "optimization_barrier", "transpose"]
    assert "barrier" not in str(program(lambda X: 3 * (X @ X), (9, 9)))


def test_a_scalar_goes_to_a_factor_that_is_multiplied_entry_by_entry():
    """XLA scales y while it writes the outer product, x it would have to scale apart."""
    jaxpr = program(lambda A, x: 2 * jnp.outer(A @ x, x), (50, 8), (8,))
    (dot,) = (eqn for eqn in jaxpr.eqns if eqn.primitive.name == "dot_general")
    assert {*dot.invars} <= {*jaxpr.invars}


def test_of_plans_of_the_same_cost_one_that_keeps_less():
    """Aᵀ (X adj Yᵀ), not (Aᵀ X) adj Yᵀ, whose first product would be there while the adjugate is made."""
    texts = [step.text for step in matcalc.det_xtax.plan(m=9, l=9).steps]
    assert "Xᵀ A" not in texts


def test_inverses_share_one_factorisation():
    jaxpr = program(lambda X, b: (jnp.linalg.inv(X) @ b, jnp.linalg.inv(X).T @ b), (9, 9), (9,))
    assert str(jaxpr).count(" lu ") == 1
    assert "eye" not in str(jaxpr)


def test_batches_are_planned_too():
    batched = jax.vmap(lambda A, B, x: A @ B @ x)
    jaxpr = program(batched, (7, 50, 60), (7, 60, 70), (7, 70))
    assert operations(jaxpr) == 7 * (60 * 70 + 50 * 60)


def einsum(spec, sizes, dtype=np.float32):
    """A product of two arrays, and arrays of these sizes for it."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal([sizes[i] for i in axes]).astype(dtype) for axes in spec.split("->")[0].split(",")]
    return lambda *arrays: jnp.einsum(spec, *arrays, precision="highest"), arrays


@pytest.mark.parametrize(
    "spec",
    [
        "ij,jk->ik",
        "ji,jk->ik",
        "ij,kj->ki",
        "j,j->",
        "jk,jk->",
        "ijk,kj->i",
        "bij,bjk->bik",
        "bij,kjb->bki",
        "bj,bj->b",
    ],
)
def test_products_of_small_matrices_are_taken_by_entries(spec):
    fun, arrays = einsum(spec, dict(b=20, i=1, j=3, k=8))
    small = spec != "ijk,kj->i"  # of a matrix and a vector, so to speak
    assert ("dot_general" in str(jax.make_jaxpr(reassociate(fun))(*arrays))) != small
    agree(reassociate(fun)(*arrays), fun(*arrays))
    agree(jax.jit(reassociate(fun))(*arrays), fun(*arrays))
    for derivative in (jax.jacfwd, jax.jacrev, jax.hessian):
        agree(derivative(reassociate(fun), (0, 1))(*arrays), derivative(fun, (0, 1))(*arrays))
    agree(jax.jvp(reassociate(fun), arrays, arrays), jax.jvp(fun, arrays, arrays))
    batch = [np.stack([array, 2 * array]) for array in arrays]
    agree(jax.vmap(reassociate(fun))(*batch), jax.vmap(fun)(*batch))
    agree(jax.vmap(reassociate(fun), (None, 0))(arrays[0], batch[1]), jax.vmap(fun, (None, 0))(arrays[0], batch[1]))


@pytest.mark.parametrize(
    ("n", "size", "in_axes", "is_by_entries"),
    [(8, 3, (0, 0), True), (8, 3, (None, 0), False), (8, 3, (0, None), False), (4, 3, (None, 0), True),
     (4, 3, (1, None), True), (8, 2000, (None, 2), True)],
)  # fmt: skip
@pytest.mark.parametrize("spec", ["ij,jk->ik", "ji,kj->ki"])
def test_products_of_a_batch_with_one_array_are_taken_by_entries_where_it_pays(spec, n, size, in_axes, is_by_entries):
    fun, (one, _) = einsum(spec, dict(i=n, j=n, k=n))
    batch = np.random.default_rng(1).standard_normal((size, n, n)).astype(np.float32)
    arrays = [one if axis is None else np.moveaxis(batch, 0, axis) for axis in in_axes]
    mapped, plain = jax.vmap(reassociate(fun), in_axes), jax.vmap(fun, in_axes)
    assert ("dot_general" not in str(jax.make_jaxpr(mapped)(*arrays))) == is_by_entries
    agree(mapped(*arrays), plain(*arrays))
    agree(jax.jvp(mapped, arrays, arrays), jax.jvp(plain, arrays, arrays))
    for k in (0, 1):
        gradients = [jax.grad(lambda *arrays, f=f: jnp.sum(f(*arrays) ** 2), k)(*arrays) for f in (mapped, plain)]
        agree(*gradients)


@pytest.mark.parametrize(
    ("sizes", "dtype"),
    [(dict(i=9, j=2, k=2), np.float32), (dict(i=2, j=9, k=2), np.float32), (dict(i=2, j=2, k=2), jnp.bfloat16),
     (dict(i=2, j=2, k=2), np.int32), (dict(i=2, j=0, k=2), np.float32)],
)  # fmt: skip
def test_products_of_others_are_not(sizes, dtype):
    fun, arrays = einsum("ij,jk->ik", sizes, dtype)
    assert "dot_general" in str(jax.make_jaxpr(reassociate(fun))(*arrays))
    agree(reassociate(fun)(*arrays), fun(*arrays))


def test_derivatives_of_small_products_are_products():
    change = jax.jvp(reassociate(lambda X: X @ A), (A,), (B,))[1]
    agree(change, B @ A)
    closed = jax.make_jaxpr(lambda V: jax.jvp(reassociate(lambda X: X @ A), (A,), (V,))[1])(B)
    assert str(closed).count("dot_general") == 1  # for a plan to see


def test_diagonal_and_identity_matrices_are_never_formed():
    jaxpr = program(lambda x, A: jnp.diag(x) @ A, (50,), (50, 60))
    assert operations(jaxpr) == 50 * 60
    jaxpr = program(lambda A: jnp.eye(50) @ A @ jnp.eye(60), (50, 60))
    assert not jaxpr.eqns
    assert (
        float(reassociate(lambda A: jnp.trace(jnp.eye(3) @ jnp.eye(3)) + jnp.trace(jnp.eye(4) @ A))(jnp.ones((4, 4))))
        == 7
    )
    agree(reassociate(lambda A: A + 2 * jnp.eye(4, dtype=A.dtype))(A), A + 2 * np.eye(4, dtype=A.dtype))


def test_thin_sums_are_one_product():
    def thin(P, Q, R, S):
        return P @ Q - R.T @ S

    shapes = (30, 2), (2, 40), (3, 30), (3, 40)
    assert str(program(thin, *shapes)).count("dot_general") == 1
    args = [np.random.default_rng(0).standard_normal(shape).astype(np.float32) for shape in shapes]
    agree(reassociate(thin)(*args), thin(*args))
    thick = program(thin, (3, 20), (20, 4), (30, 3), (30, 4))
    assert str(thick).count("dot_general") == 2


def test_the_derivative_of_an_inverse_is_two_products():
    lowered = jax.jit(lambda X, V: jax.jvp(reassociate(jnp.linalg.inv), (X,), (V,))[1]).lower(A, A)
    assert lowered.as_text().count("dot_general") == 2
    X = A + 4 * np.eye(4, dtype=A.dtype)
    for derivative in (jax.jacfwd, jax.jacrev):
        agree(derivative(reassociate(jnp.linalg.inv))(X), derivative(jnp.linalg.inv)(X))
        agree(derivative(derivative(reassociate(jnp.linalg.inv)))(X), derivative(derivative(jnp.linalg.inv))(X))


@pytest.mark.parametrize(
    ("fun", "shapes"),
    [
        (lambda s, A, x: (jnp.tanh(s * A), (s * A) @ x), [(), (20, 20), (20,)]),
        (lambda s, v, A: (jnp.sin(s * v[:, None] * jnp.ones_like(A)), s * v[:, None] * A), [(), (20,), (20, 2)]),
        (lambda A, b: (jnp.linalg.inv(A), jnp.linalg.inv(A) @ b), [(20, 20), (20,)]),
    ],
)
@pytest.mark.parametrize("precision", ["default", "highest"])
def test_what_is_done_all_the_same_saves_nothing(fun, shapes, precision):
    arrays = [np.random.default_rng(0).standard_normal(shape).astype(np.float32) for shape in shapes]
    with jax.default_matmul_precision(precision):
        assert operations(jax.make_jaxpr(reassociate(fun))(*arrays)) <= operations(jax.make_jaxpr(fun)(*arrays))


# --- What it tells


PLAN = """\
∂/∂X tr(A X B Xᵀ C) = C A X B + Aᵀ Cᵀ X Bᵀ, at l=8, m=2048, n=64 in float32

                             shape    multiply-adds
  T1 = Cᵀ X                  8×64         1,048,576
  T2 = B T1ᵀ                 64×8            32,768
  T3 = A X                   8×64         1,048,576
  T4 = T3 B                  8×64            32,768
  T5 = concatenate(Aᵀ, C)    2048×16              0
  T6 = concatenate(T2ᵀ, T4)  16×64                0
  T7 = T5 T6                 2048×64      2,097,152

                   multiply-adds       bytes moved
  this order           4,259,840         1,884,160
  as written         620,888,064        73,170,944
  autodiff             5,701,632         4,835,840"""


def test_the_plan_of_an_identity_is_printed_beside_other_ways():
    printed = str(matcalc.tr_axbxtc.plan(l=8, m=2048, n=64))
    assert printed == PLAN
    text = printed.splitlines()
    assert text[0] == "∂/∂X tr(A X B Xᵀ C) = C A X B + Aᵀ Cᵀ X Bᵀ, at l=8, m=2048, n=64 in float32"
    assert text[3].split() == ["T1", "=", "Cᵀ", "X", "8×64", "1,048,576"]
    totals = {line.split("  ")[1]: line.split()[-2].replace(",", "") for line in text if "this order" in line}
    assert totals == {"this order": str(8 * 64 * (4 * 2048 + 2 * 64))}
    assert [line.split("  ")[1].strip() for line in text[-3:]] == ["this order", "as written", "autodiff"]


def test_the_plan_of_small_products_names_them():
    small, large = (matcalc.tr_axbxtc.plan(l=n, m=n, n=n) for n in (8, 9))
    assert [step.text for step in small.steps] == [step.text for step in large.steps]
    for n, order in ((8, small), (9, large)):
        assert sum(step.operations for step in order.steps) == 5 * n**3 + n**2 == order.works["this order"].operations


def test_a_plan_can_be_had_for_every_entry_and_never_has_more_operations_than_written(case):
    entry, kind = case
    order = entry.plan(kind=kind)
    assert order.works["this order"].operations <= order.works["as written"].operations
    assert order.title in str(order)
    for step in order.steps:
        assert f"{step.name} = {step.text}" in repr(order)


def test_planning_an_entry_takes_little(case, monkeypatch):
    """A plan numbers the labels of products, in every order of their factors: some 100 times a millisecond."""
    count, numbered = 0, _search._renamed

    def counted(*given):
        nonlocal count
        count += 1
        return numbered(*given)

    monkeypatch.setattr(_search, "_renamed", counted)
    entry, kind = case
    entry.plan(kind=kind)
    assert count < 1.5 * _search.WRITTEN


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(z=3), "there is no size 'z' here, only n"),
        (dict(n=0), "the size n must be at least 1, got 0"),
        (dict(n=2.0), "the size n must be an integer, got 2.0"),
        (dict(n="8"), "the size n must be an integer, got '8'"),
        (dict(n=True), "the size n must be an integer, got True"),
        (dict(kind="vector by vector"), "the kinds here are scalar by matrix; got 'vector by vector'"),
        (dict(dtype="int32"), "one for floating point numbers, got int32"),
        (dict(dtype="complex64"), "one for floating point numbers, got complex64"),
        (dict(dtype="real"), "one for floating point numbers, got real"),
    ],
)
def test_a_plan_of_what_there_is_not_is_refused(options, message):
    with pytest.raises((ValueError, TypeError), match=f"tr_x: .*{message}"):
        matcalc.tr_x.plan(**options)


def test_sizes_that_are_fixed_are_no_part_of_a_plan():
    assert matcalc.cross_rule.plan().title == "∂/∂x u × v = ∂u × v + u × ∂v in float32"
    with pytest.raises(ValueError, match="there is no size 'n' here, only sizes that are fixed"):
        matcalc.cross_rule.plan(n=3)


def test_every_step_of_a_scan_counts():
    def steps(p, n=3):  # of Horner's rule: P X + i c_i I
        (scan,) = (step for step in matcalc.polynomial_xa.plan(p=p, n=n).steps if step.text.startswith("scan"))
        return scan.operations

    assert steps(9) == 2 * steps(5) > 2 * 4 * 3**3
    for work in matcalc.tr_expm.plan().works.values():
        assert {"scan", "cond"} <= work.others  # the squarings


def test_a_result_that_is_made_of_nothing_is_written():
    assert {work.moved for work in matcalc.tr_x.plan(n=8).works.values()} == {64}
    assert all(work.moved > 64**2 for work in matcalc.tr_kron_xx.plan(n=64).works.values())


def test_a_step_that_calls_a_function_has_its_name_and_work():
    order = matcalc.det_x.plan(n=50, dtype=np.float64)  # whether JAX has float64 on or not
    assert [step.text for step in order.steps] == ["adj_of_any_rank(c, X)"]
    assert order.steps[0].operations == order.works["this order"].operations > 50**3
