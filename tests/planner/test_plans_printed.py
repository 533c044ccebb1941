"""Plans as people read them: steps, and work beside that of other ways."""

import numpy as np
import pytest

import matcalc

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
