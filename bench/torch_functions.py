"""Gradients of PyTorch functions before the referee, with PyTorch itself installed.

    python bench/torch_functions.py

A custom `torch.autograd.Function` with a right and a wrong backward, functions of tensors in either dtype, a module,
and claims on tensors. It prints each verdict, and ends with an error if one is not what it should be.
"""

import sys
from typing import Any

from matcalc import check_gradient


def cube(torch: Any, factor: float) -> Any:
    """x³ as a `torch.autograd.Function`, of which the backward has this factor; 3 is right."""

    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx: Any, *up: Any) -> Any:
            (x,) = ctx.saved_tensors
            return up[0] * factor * x**2

    return Cube


def main() -> None:
    """Print the verdicts, and compare them with those that are right."""
    import torch

    def log_sum_exp(x: Any) -> Any:
        return torch.logsumexp(x, 0)

    right_cube, wrong_cube = cube(torch, 3.0), cube(torch, 2.0)
    x = torch.tensor([0.3, -1.2, 0.7], dtype=torch.float64)
    layer = torch.nn.Linear(3, 2)
    cases: list[tuple[str, str, tuple[Any, ...]]] = [
        ("softmax, float64", "pass", (log_sum_exp, lambda x: torch.softmax(x, 0), x)),
        ("softmax, float32", "pass", (log_sum_exp, lambda x: torch.softmax(x, 0), x.float())),
        ("softmax, twice", "fail", (log_sum_exp, lambda x: 2 * torch.softmax(x, 0), x)),
        ("softmax, an array", "pass", (log_sum_exp, torch.softmax(x, 0).numpy(), x)),
        ("softmax, by torch.autograd", "pass", (log_sum_exp, None, x)),
        ("cube, its own backward", "pass", (lambda x: right_cube.apply(x).sum(), None, x)),
        ("cube, a wrong backward", "fail", (lambda x: wrong_cube.apply(x).sum(), None, x)),
        ("a layer in float32", "pass", (lambda x: layer(x).pow(2).sum(), None, x.float())),
        ("a kink", "inconclusive", (lambda x: x.abs().sum(), torch.sign, torch.zeros(2, dtype=torch.float64))),
    ]
    wrong = 0
    for name, expected, (f, gradient, at) in cases:
        report = check_gradient(f, gradient, at)
        wrong += report.verdict != expected
        right = "" if report.verdict == expected else f", and {expected} is right"
        print(f"{name}: {report.verdict}{right}. {report.cause or ''}")

    def second(x: Any) -> Any:
        p = torch.softmax(x, 0)
        return torch.diag(p) - torch.outer(p, p)

    hessian = check_gradient(log_sum_exp, second, x, order=2)
    print(f"Hessian: {hessian.verdict}. {hessian.cause or ''}")
    sys.exit(bool(wrong) or not hessian.ok)


if __name__ == "__main__":
    main()
