"""The HTML report of a fit: ``build`` makes the page from plain data, ``write`` puts it into a file."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "content": [
            "Candidate",
            "Candidates",
            "Code",
            "Gaussians",
            "Groups",
            "HeldOut",
            "Images",
            "ModelSummary",
            "Repeat",
            "ReportContent",
            "Snapshots",
            "Trace",
        ],
        "page": ["build", "write"],
        "topic_content": ["Topics"],
    },
)
