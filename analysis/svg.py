"""The few SVG elements charts are made of, escaped, without inline styles: classes of the one stylesheet carry all looks."""

from collections.abc import Iterable
from html import escape


def element(name: str, content: str = "", **attributes: object) -> str:
    """One element; `class_` becomes class, underscores become hyphens, numbers get one decimal, None is left out."""
    pairs = "".join(f' {_name(key)}="{_value(value)}"' for key, value in attributes.items() if value is not None)
    return f"<{name}{pairs}>{content}</{name}>" if content else f"<{name}{pairs}/>"


def text(x: float, y: float, words: str, **attributes: object) -> str:
    return element("text", escape(words), x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    return element("line", x1=x1, x2=x2, y1=y1, y2=y2, class_=class_)


def path(commands: str, class_: str, content: str = "") -> str:
    return element("path", content, d=commands, class_=class_)


def title(words: str) -> str:
    return element("title", escape(words))


def picture(width: float, height: float, label: str, parts: Iterable[str], *, links: bool = False) -> str:
    """A whole chart, named for those who cannot see it; one that holds links is no single image to them."""
    body, role = "".join(parts), "group" if links else "img"
    return f'<svg class="c" viewBox="0 0 {width:g} {height:g}" role="{role}" aria-label="{escape(label, quote=True)}">{body}</svg>'


def _name(key: str) -> str:
    return {"class_": "class"}.get(key, key.replace("_", "-"))


def _value(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else escape(str(value), quote=True)
