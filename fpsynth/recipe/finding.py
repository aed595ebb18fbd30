"""Something to tell the author of a recipe."""

from dataclasses import dataclass

from fpsynth.recipe.document import Document, Loc, named


@dataclass(frozen=True)
class Finding:
    """Something to tell about a recipe; fatal: it cannot be followed.

    against: the other place that it is about. of_key: it is about the key at loc, not about its value.
    """

    loc: Loc
    text: str
    fatal: bool = True
    against: Loc | None = None
    of_key: bool = False

    def line(self, document: Document) -> str:
        """One line with its place, or its places."""
        told = document.line(self.loc, self.text, self.of_key)
        return told if self.against is None else f"{told}: {named(self.against)} at {document.place(self.against)}"
