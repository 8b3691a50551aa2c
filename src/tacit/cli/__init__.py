"""Floor 10: the ``tacit`` command. What a command needs is imported when it is called, so that help is quick."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "asking",
        "comparing",
        "demo",
        "explain",
        "fitting",
        "listing",
        "observing",
        "results",
        "runs",
        "serving",
        "show_data",
        "show_fit",
        "progress",
    ],
    submod_attrs={"program": ["app", "main"]},
)
