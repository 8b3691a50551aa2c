"""Floor 9½: runs that answer over HTTP. Starlette and uvicorn (``tacit[serve]``) are loaded with the first name."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "arrow",
        "asked",
        "bodies",
        "connections",
        "counting",
        "describing",
        "errors",
        "held",
        "http",
        "running",
        "work",
    ],
)
