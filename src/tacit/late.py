"""Floor 0: what other packages import and hardly use is loaded when something of it is asked for.

scikit-learn imports ``scipy.stats`` with its base class, for functions that an estimator hardly calls: a third of the
imports of a small fit. Such a module is imported as ever, by whomever, and has no content until a first name of it is
asked for (a module's ``__getattr__``, PEP 562): write ``import scipy.optimize``, not ``from scipy.optimize import …``.
"""

import sys
import threading
from collections.abc import Iterable
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:  # the module costs more time than all of this one
    from importlib.abc import Loader

LATE = ("scipy.stats", "scipy.optimize", "numpy.f2py", "numpy.testing", "sklearn.metrics")
"""What is loaded late."""
PATIENCE = 30.0
"""Seconds that a thread waits for another one to load a module, lest two that wait for one another do so for ever."""


class _LateLoader:
    """Runs a module's code when a name is asked for that the module has not got yet."""

    def __init__(self, spec: ModuleSpec, loader: "Loader") -> None:
        self._spec, self._loader, self._lock, self._begun = spec, loader, threading.RLock(), False
        self._module: ModuleType | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        def found(name: str) -> Any:
            self.load()
            try:
                return vars(module)[name]
            except KeyError:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}") from None

        def listed() -> list[str]:
            self.load()
            return sorted(vars(module))

        self._module = module
        vars(module).update(__getattr__=found, __dir__=listed)

    def load(self) -> None:
        """Run the module's code, unless this thread is about to."""
        held, module = self._lock.acquire(timeout=PATIENCE), self._module
        try:
            if held and module is not None and not self._begun:
                self._begun = True
                module.__loader__ = self._spec.loader = self._loader
                self._loader.exec_module(module)
        finally:
            if held:
                self._lock.release()


class _Loaded:
    """Gives a part of a module that came with the whole."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


class _LateFinder:
    """Finds the modules of `LATE` where they are, and loads them whole before one of their parts."""

    def __init__(self) -> None:
        self._loaders: dict[str, _LateLoader] = {}

    def find_spec(
        self, fullname: str, path: Iterable[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        whole = self._loaders.get(fullname.rpartition(".")[0])
        if whole is not None:
            whole.load()
            part = sys.modules.get(fullname)
            return None if part is None else ModuleSpec(fullname, cast("Loader", _Loaded(part)))
        spec = PathFinder.find_spec(fullname, None if path is None else [*path], target) if fullname in LATE else None
        if spec is not None and spec.loader is not None:
            late = self._loaders[fullname] = _LateLoader(spec, spec.loader)
            spec.loader = cast("Loader", late)
        return spec


def install() -> None:
    """Have the modules of `LATE` that nobody has imported yet loaded late."""
    if not any(isinstance(finder, _LateFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _LateFinder())
