"""For pyright: a call of an identity is checked like a call of the function it was declared by.

Every line marked `ignore` must be an error; pyright reports a mark that is not needed.
"""

import jax.numpy as jnp

from matcalc import ax, product_rule, tr_axb, tr_axkb

A, X, B = jnp.ones((2, 3)), jnp.ones((3, 4)), jnp.ones((4, 2))

value = tr_axb(A, X, B)
also_value = tr_axb(A=A, X=X, B=B)
derivative = tr_axb.derivative(A, X, B, layout="numerator")
total = jnp.sum(value + jnp.trace(derivative))

tr_axb(A, X)  # pyright: ignore[reportCallIssue]
tr_axb(A, X, B, B)  # pyright: ignore[reportCallIssue]
tr_axb(A, X, C=B)  # pyright: ignore[reportCallIssue]
tr_axb(A, X, "B")  # pyright: ignore[reportArgumentType]
ax(A)  # pyright: ignore[reportCallIssue]
tr_axkb(A, X, B, k=1.5)  # pyright: ignore[reportArgumentType]
tr_axb.derivative(A, X, B, layout="columns")  # pyright: ignore[reportArgumentType]
product_rule(A, A, X)  # pyright: ignore[reportCallIssue]
