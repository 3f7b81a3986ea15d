"""What a page says, without its tags; and what a browser would send of a form."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """Text, fields and addresses of a page.

    Parameters
    ----------
    html : str
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.fields: dict[str, str] = {}
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._select: str | None = None
        self.feed(html)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append((tag, values))
        self.ids += [values["id"] or ""] if "id" in values else []
        self.addresses += [values[name] or "" for name in ("href", "src", "action") if name in values]
        self.inline += [name for name in values if name == "style" or name.startswith("on")]
        self.inline += [tag] if tag == "style" or (tag == "script" and "src" not in values) else []
        name, value = values.get("name"), values.get("value") or ""
        if tag == "input" and name and (values.get("type") != "radio" or "checked" in values):
            self.fields[name] = value
        elif tag == "select" and name:
            self._select = name
            self.fields[name] = ""
        elif tag == "option" and self._select and "selected" in values:
            self.fields[self._select] = value
