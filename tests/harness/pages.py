"""Reads a page as a strict browser would."""

import base64
import html.parser
import io

import numpy as np
from PIL import Image

VOID = {"meta", "br", "hr", "link", "img", "input"}


class Page(html.parser.HTMLParser):
    """A strict reader: every element is closed in its turn."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_startendtag(self, element, attributes):
        self.elements.append((element, dict(attributes)))

    def handle_starttag(self, element, attributes):
        self.elements.append((element, dict(attributes)))
        if element not in VOID:
            self.open.append(element)

    def handle_endtag(self, element):
        assert self.open.pop() == element

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    def all(self, element):
        return [attributes for name, attributes in self.elements if name == element]

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    @property
    def pictures(self):
        """By their texts: the images of the page as arrays; one that is not within the page raises."""
        found = {}
        for image in self.all("img"):
            kind, _, data = image["src"].partition(",")
            assert kind == "data:image/png;base64"
            found[image["alt"]] = np.asarray(Image.open(io.BytesIO(base64.b64decode(data, validate=True))))
        return found
