"""What a new version of a dictionary adds, takes away and changes, item by item. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

from studies.dictionary import Dictionary, Form, Item
from studies.values import NotUnderstood, Value, rebuilt

PARTS = tuple(part.name for part in fields(Item) if part.name != "code")


@dataclass(frozen=True, slots=True)
class Difference:
    """One item that differs: `parts` are the names of what changed of it, `form` among them where it moved to another form."""

    what: Literal["added", "removed", "changed"]
    code: str
    before: Item | None
    after: Item | None
    form_before: str = ""
    form_after: str = ""
    parts: tuple[str, ...] = ()

    def no_longer_fits(self, value: Value) -> bool:
        """Whether the new version would refuse a value that is stored."""
        if self.after is None:
            return False
        try:
            rebuilt(self.after, value)
        except NotUnderstood:
            return True
        return False


def differences(before: Dictionary, after: Dictionary) -> list[Difference]:
    """What differs between two versions: removed, then changed, then added, each in the order of its dictionary."""
    return [*_removed(before, after), *_changed(before, after), *_added(before, after)]


def _removed(before: Dictionary, after: Dictionary) -> Iterator[Difference]:
    for form, item in _items(before):
        if not after.has(item.code):
            yield Difference("removed", item.code, item, None, form.code)


def _changed(before: Dictionary, after: Dictionary) -> Iterator[Difference]:
    for form, item in _items(before):
        if after.has(item.code):
            other, place = after.item(item.code), after.form_of(item.code).code
            parts = [name for name in PARTS if getattr(item, name) != getattr(other, name)]
            parts += ["form"] if place != form.code else []
            if parts:
                yield Difference("changed", item.code, item, other, form.code, place, tuple(parts))


def _added(before: Dictionary, after: Dictionary) -> Iterator[Difference]:
    for form, item in _items(after):
        if not before.has(item.code):
            yield Difference("added", item.code, None, item, "", form.code)


def _items(dictionary: Dictionary) -> Iterator[tuple[Form, Item]]:
    return ((form, item) for form in dictionary.forms for item in form.items)
