"""Fitted models in MLflow: kept, logged and loaded, and answering wherever MLflow's ``pyfunc`` models do.

``pip install 'tacit[mlflow]'``, which is MLflow without its server.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={"keeping": ["load_model", "log_model", "save_model"]},
)
