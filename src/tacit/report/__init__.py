"""The HTML report of a fit: ``build`` makes the page of a `Report`, ``write`` puts it into a file."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "choice": ["Candidate", "Candidates"],
        "deep": ["Code", "Images"],
        "fit": ["BoundCurve", "FitFacts", "HeldOutFact", "ModelSummary", "Repeat"],
        "groups": ["Gaussians", "Groups", "Snapshots"],
        "image_section": ["image_report"],
        "page": ["Fact", "Report", "build", "write"],
        "parts": ["Section"],
        "prediction_section": ["prediction_report"],
        "predictions": ["Coefficient", "Prediction"],
        "table": ["FittedTable"],
        "table_report": ["table_report"],
        "topic_section": ["topic_report"],
        "topics": ["Topics"],
    },
)
