"""Floor 9: the ``tacit`` command. What a command needs is imported when it is called, so that help is quick."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "answering",
        "codes",
        "comparing",
        "corpora",
        "demo",
        "documents",
        "explain",
        "fitting",
        "listing",
        "opened",
        "predicting",
        "runs",
        "scoring",
        "sources",
    ],
    submod_attrs={"program": ["app", "main"]},
)
