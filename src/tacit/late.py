"""Floor 0: what other packages import and hardly use is loaded when something of it is asked for.

scikit-learn imports ``scipy.stats`` with its base class, for functions that an estimator hardly calls: a third of the
imports of a small fit. Such a module is imported as ever, by whomever, and has no content until a first name of it is
asked for (a module's ``__getattr__``, PEP 562): write ``import scipy.optimize``, not ``from scipy.optimize import …``.

pandas, which takes longer to load than a small table to fit, is looked for by packages that do without it.
"""

import sys
import threading
from collections.abc import Iterable
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:  # the module costs more time than all of this one
    from importlib.abc import Loader

LATE = (
    *("scipy.stats", "scipy.optimize", "scipy.spatial", "scipy.cluster", "numpy.f2py", "numpy.testing"),
    *("scipy.integrate", "sklearn.metrics", "matplotlib.pyplot"),
)
"""What is loaded late."""
LOOK_FOR_PANDAS = ("sklearn.utils.fixes",)
"""What imports pandas to know whether there is one, and does nothing with it; a frame brings its own."""
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


class _NoPandas:
    """Finds pandas absent."""

    def find_spec(self, fullname: str, path: Iterable[str] | None, target: ModuleType | None = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name=fullname)


class _WithoutPandas:
    """Runs the code of a module that looks for pandas, and has it find none."""

    def __init__(self, spec: ModuleSpec, loader: "Loader") -> None:
        self._spec, self._loader = spec, loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._spec.loader = self._loader
        nothing = _NoPandas()
        sys.meta_path.insert(0, nothing)
        try:
            self._loader.exec_module(module)
        finally:
            sys.meta_path.remove(nothing)


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
        known = fullname in LATE or fullname in LOOK_FOR_PANDAS
        spec = PathFinder.find_spec(fullname, None if path is None else [*path], target) if known else None
        if spec is None or spec.loader is None:
            return None
        if fullname in LOOK_FOR_PANDAS:
            spec.loader = cast("Loader", _WithoutPandas(spec, spec.loader))
        else:
            late = self._loaders[fullname] = _LateLoader(spec, spec.loader)
            spec.loader = cast("Loader", late)
        return spec


def install() -> None:
    """Have the modules of `LATE` that nobody has imported yet loaded late."""
    if not any(isinstance(finder, _LateFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _LateFinder())


def leave_pandas() -> None:
    """Have nothing find pandas: in a program that has no frames, where PyArrow would load it at its first list."""
    sys.meta_path.insert(0, _NoPandas())
