"""The one error of the formula language: what is wrong, and where."""

_WINDOW = 100  # characters of a long formula shown around the place


class FormulaError(ValueError):
    """A formula that cannot be read, sized or evaluated; the message points at the place."""

    def __init__(self, message: str, text: str = "", start: int = 0, end: int | None = None) -> None:
        self.reason = message
        self.text = text
        self.start = start
        self.end = start + 1 if end is None else max(end, start + 1)
        super().__init__(f"{message}\n{point(text, self.start, self.end)}" if text else message)


class Misfit(FormulaError):
    """Shapes in a formula that do not fit each other, or the one that it should have."""


def point(text: str, start: int, end: int) -> str:
    """The line of `text` holding `start`, with carets under `text[start:end]`."""
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", start)
    last = len(text) if last < 0 else last
    left, right = max(first, start - _WINDOW // 2), min(last, start + _WINDOW // 2)
    before, after = "…" if left > first else "", "…" if right < last else ""
    line = before + text[left:right].replace("\t", " ") + after
    carets = "^" * max(1, min(end, right) - start)
    return f"  {line}\n  {' ' * (len(before) + start - left)}{carets}"
