"""Sums over rows on several processes or machines: `engine` says where, inside a ``with``.

The rows lie in files that every worker can open (`tacit.dataset`). A task is a function of a partition; lost ones are
run again, and their results are added up here, in the order of the rows. So neither the number of workers, nor that of
partitions, nor a worker that dies changes what comes out.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "clusters": ["DaskEngine"],
        "devices": ["devices", "sharing_devices"],
        "engines": ["Engine", "EngineError", "InPlace", "current"],
        "opening": ["engine"],
        "processes": ["ProcessEngine"],
        "ray_clusters": ["RayEngine"],
        "spark_clusters": ["SparkEngine"],
    },
)
