"""Pictures from plain arrays: every function returns a matplotlib ``Figure`` and leaves pyplot alone.

The names load at their first use, so that what needs no matplotlib (``to_dot``, ``layers``) stays light.
No submodule has the name of a function, so that a name never changes its meaning with the order of imports.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "calibration": ["coverage_plot"],
        "choice": ["candidates"],
        "compare": ["samples_beside_data", "samples_by_column"],
        "density": ["density_plot", "gaussian_curves", "in_logarithms", "wants_logarithm"],
        "diagram": ["plate_diagram"],
        "dot": ["to_dot"],
        "eigenvalues": ["scree"],
        "export": ["to_png", "to_svg"],
        "flow": ["density_map", "member_scores", "rank_bars", "rows_beside", "warped_grid"],
        "groups": ["word_bars"],
        "images": ["tile", "write_png"],
        "layout": ["layers", "place"],
        "coefficients": ["coefficient_plot", "curves_plot", "predicted_plot", "reliability_plot"],
        "columns": ["marginals"],
        "loadings": ["factor_scores", "loading_map", "path_diagram"],
        "missing": ["missing_summary"],
        "network": ["network_picture"],
        "latent": ["latent_map", "latent_use"],
        "progress": ["bound_trace", "evolution"],
        "scatter": ["ellipses", "hard_labels", "pair_plot", "telling_columns"],
        "sequences": ["fans", "state_paths", "transition_diagram"],
        "terms": ["two_terms"],
        "topics": ["document_mixtures", "figures_over_trace", "topic_bars", "topic_choice", "topic_map_plot"],
    },
)
