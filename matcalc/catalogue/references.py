"""Public works in which identities stand, and where in them: "MC 101" is equation 101 of The Matrix Cookbook."""

from dataclasses import dataclass

from matcalc.catalogue.declaration import Declaration


@dataclass(frozen=True)
class Work:
    """A work, what its places are ("equation"), and an address where it can be read."""

    title: str
    unit: str
    address: str


# A place may end with what the letters of the work stand for in the identity: "MC 83 with D, b, c = I, a, -b". A work
# may state an identity under narrower conditions than those in `where`: MC 58 takes an invertible X, `det_xk` any X.
WORKS = {
    "MC": Work(
        "Petersen and Pedersen, The Matrix Cookbook (2012)",
        "equation",
        "https://www.math.uwaterloo.ca/~hwolkowi/matrixcookbook.pdf",
    ),
    "WP": Work("Wikipedia, Matrix calculus", "section", "https://en.wikipedia.org/wiki/Matrix_calculus"),
    "MN": Work(
        "Magnus and Neudecker, Matrix Differential Calculus (3rd ed. 2019)",
        "section",
        "https://doi.org/10.1002/9781119541219",
    ),
    "Giles": Work(
        "Giles, An extended collection of matrix derivative results (2008)",
        "section",
        "https://people.maths.ox.ac.uk/gilesm/files/NA-08-01.pdf",
    ),
}


def reference_texts(declared: Declaration) -> tuple[str, ...]:
    """The references of an identity in full, one text for each work: its title, the places, and an address."""
    places: dict[str, list[str]] = {}
    for reference in declared.references:
        key, place = reference.split(" ", 1)
        places.setdefault(key, []).append(place)
    return tuple(_text(WORKS[key], found) for key, found in places.items())


def _text(work: Work, places: list[str]) -> str:
    plural = "s" if len(places) > 1 else ""
    return f"{work.title}, {work.unit}{plural} {' and '.join(places)}, {work.address}"
