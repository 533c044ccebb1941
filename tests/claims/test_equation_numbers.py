"""The equations of The Matrix Cookbook that identities refer to state their functions."""

import re

import pytest
from references import CLAIMS

from matcalc import CATALOGUE
from matcalc.catalogue.lookup import find
from matcalc.formula import parse

# What the equations state that no claim is about: of rules, definitions and Hessians, in the letters of the identity.
OTHERS = {
    "MC 32": "x_ij",
    "MC 33": "A",
    "MC 34": "a U",
    "MC 35": "U + V",
    "MC 37": "U V",
    "MC 38": "U .* V",
    "MC 39": "kron(U, V)",
    "MC 40": "inv(U)",
    "MC 59": "inv(U)",
    "MC 60": "[(X + s E_ij)^-1]_kl",
    "MC 73": "X + s E_ij",
    "MC 93": "u' A v",
    "MC 98 with b = 0": "x' A x",
    "MC 137": "g",
    "MC 494": "exp(X)",
    "MC 500": "exp(x A)",
    "MC 503": "sin(X)",
    "MC 504": "cos(X)",
    "MC 505": "kron(U, V)",
    "MC 37 with X, Y = u, vᵀ": "u v'",
}
EQUATIONS = {claim.source: (claim.f, claim.wrt) for claim in CLAIMS if re.fullmatch(r"MC \d+", claim.source)}
EQUATIONS = {source: equation for source, equation in EQUATIONS.items() if source not in OTHERS} | {
    "MC 41": ("|X|", "X")
}
OF_WIKIPEDIA = {claim.source: (claim.f, claim.wrt) for claim in CLAIMS if re.match(r"WP \w+ by \w+,", claim.source)}
REFERENCES = [(name, r) for name, identity in CATALOGUE.items() for r in identity.references if r.startswith("MC")]


def found(f, wrt, letters=""):
    """The identities of this function and variable; `letters` "A, b = I, -c" put I in the place of A and -c of b."""
    names, values = ([word.strip() for word in side.split(",")] for side in (letters or "=").split("="))
    replaced = dict(zip(names, values, strict=True))
    text = re.sub(r"\b[A-Za-zλα]\b", lambda name: f"({replaced.get(name[0], name[0])})", f)
    return {match.identity.name for match in find(parse(text), wrt)}


@pytest.mark.parametrize(("name", "reference"), REFERENCES)
def test_an_equation_that_is_referred_to_states_the_function(name, reference):
    if reference in OTHERS:
        assert parse(OTHERS[reference]) == parse(CATALOGUE[name].formulas[0])
    else:
        equation, *letters = reference.split(" with ")
        assert name in found(*EQUATIONS[equation], *letters)


@pytest.mark.parametrize("equation", [*EQUATIONS, *OF_WIKIPEDIA])
def test_an_equation_that_states_an_identity_is_referred_to(equation):
    identities = [CATALOGUE[name] for name in found(*(EQUATIONS | OF_WIKIPEDIA)[equation])]
    place = equation.split(",")[0]
    assert not identities or any(place in identity.references for identity in identities)
