"""Floor 0: what other packages import and hardly use is loaded when something of it is asked for.

scikit-learn imports ``scipy.stats`` with its base class, for functions that an estimator hardly calls: a third of the
imports of a small fit. Such a module is imported as ever, by whomever, and has no content until a first name of it is
asked for (a module's ``__getattr__``, PEP 562): write ``import scipy.optimize``, not ``from scipy.optimize import …``.

pandas, which takes longer to load than a small table to fit, is looked for by packages that do without it. What is to
be done as soon as JAX is there, whoever imports it, waits in `when_loaded`.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterable
from functools import cache, partial
from importlib.machinery import ModuleSpec, PathFinder
from operator import attrgetter
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any, cast

import lazy_loader

if TYPE_CHECKING:  # the module costs more time than all of this one
    from importlib.abc import Loader

LATE = (
    *("scipy.stats", "scipy.optimize", "scipy.spatial", "scipy.cluster", "scipy.cluster.hierarchy", "scipy.special"),
    *("scipy.sparse", "scipy.sparse.linalg", "PIL.Image", "unittest.mock", "scipy.integrate"),
    *("numpy.f2py", "numpy.testing", "sklearn.metrics", "sklearn.mixture", "matplotlib.pyplot"),
    *("pyarrow.compute", "pyarrow.dataset"),
)
"""What is loaded late."""
PROGRAM_LATE = (
    *("scipy.linalg", "scipy.sparse.csgraph", "joblib", "sklearn.utils.parallel", "importlib.metadata"),
    *("narwhals", "narwhals.stable", "narwhals.stable.v2"),
    *("matplotlib.mathtext", "matplotlib._fontconfig_pattern", "matplotlib.dviread", "pyparsing"),
)
"""And what besides, in a process that runs nobody else's code."""
APART = ("scipy.cluster", "scipy.spatial")
"""Packages among them of which one part is loaded without the others."""
TAKEN = {"unittest.mock.patch": "jaxtyping.", "scipy.sparse.linalg.cg": "sklearn.utils.fixes"}
"""What packages take from a late module when they are themselves imported, to call it now and then: a stand-in."""
PROGRAM_TAKEN = {
    "importlib.metadata.entry_points": "pydantic.",
    "scipy.linalg.norm": "scipy.spatial.",
    "scipy.sparse.linalg.cg": "sklearn.",
    "scipy.sparse.linalg.LinearOperator": "sklearn.",
    "scipy.sparse.csgraph.laplacian": "sklearn.",
    "sklearn.utils.parallel._get_threadpool_controller": "sklearn.",
    "joblib.cpu_count": "sklearn.",
    "matplotlib.mathtext.MathTextParser": "matplotlib.",
    "matplotlib.dviread.Dvi": "matplotlib.",
    "matplotlib._fontconfig_pattern.parse_fontconfig_pattern": "matplotlib.",
    "matplotlib._fontconfig_pattern.generate_fontconfig_pattern": "matplotlib.",
}
MADE_LATE = ("matplotlib.mathtext.MathTextParser",)
"""Classes among these whose objects are made when they are used."""
LOOK_FOR_PANDAS = ("sklearn.utils.fixes",)
"""What imports pandas to know whether there is one, and does nothing with it; a frame brings its own."""
PATIENCE = 30.0
"""Seconds that a thread waits for another one to load a module, lest two that wait for one another do so for ever."""


class _LateLoader:
    """Runs a module's code when a name is asked for that the module has not got yet."""

    def __init__(self, spec: ModuleSpec, loader: "Loader", whole: "_LateLoader | None") -> None:
        self._spec, self._loader, self._lock, self._begun = spec, loader, threading.RLock(), False
        self._module: ModuleType | None = None
        self._whole = whole

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        def found(name: str) -> Any:
            if name == "__path__":  # every ``from … import`` asks for it, and a package has it already
                raise AttributeError(name)
            instead = None if self._begun else _instead(module, name, sys._getframe(1))
            if instead is not None:
                return instead
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
        if self._whole is not None:
            self._whole.load()
        held, module = self._lock.acquire(timeout=PATIENCE), self._module
        try:
            if held and module is not None and not self._begun:
                self._begun = True
                module.__loader__ = self._spec.loader = self._loader
                self._loader.exec_module(module)
        finally:
            if held:
                self._lock.release()


def _instead(module: ModuleType, name: str, frame: FrameType) -> Any:
    """What stands for a name of a module that has not been loaded, and is asked for there; None if it is to be."""
    known = module.__name__
    while frame.f_back is not None and frame.f_globals.get("__name__") in _MACHINERY:
        frame = frame.f_back
    taker = str(frame.f_globals.get("__name__"))
    if known in APART and PathFinder.find_spec(f"{known}.{name}", module.__path__) is not None:
        return lazy_loader.attach(known, submodules=[name])[0](name)
    if name == "__version__" and "." not in known:
        return _version(module)
    if taker.startswith(_FINDER.taken.get(f"{known}.{name}", "?")):
        return (LateMade if f"{known}.{name}" in MADE_LATE else Late)(partial(attrgetter(name), module))
    return None


_MACHINERY = ("importlib._bootstrap", "importlib._bootstrap_external", "_frozen_importlib")


def _version(module: ModuleType) -> str | None:
    """The version of a package by what lies beside it."""
    beside = os.listdir(os.path.dirname(os.path.dirname(str(module.__file__))))
    found = [each for each in beside if each.startswith(f"{module.__name__}-") and each.endswith(".dist-info")]
    return found[0].removesuffix(".dist-info").partition("-")[2] if len(found) == 1 else None


class Late:
    """Stands for something that is found when it is used."""

    def __init__(self, found: Callable[[], Any]) -> None:
        self._found = found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._found()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._found(), name)


class LateMade(Late):
    """Stands for a class whose objects are made when they are used."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return Late(cache(lambda: self._found()(*args, **kwargs)))


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


class _Announced:
    """Runs a module's code, and then tells those who wait for it."""

    def __init__(self, spec: ModuleSpec, loader: "Loader", told: Callable[[], None]) -> None:
        self._spec, self._loader, self._told = spec, loader, told

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._spec.loader = self._loader
        self._loader.exec_module(module)
        self._told()


class _LateFinder:
    """Finds the modules of `LATE` where they are, and loads them whole before one of their parts."""

    def __init__(self) -> None:
        self._loaders: dict[str, _LateLoader] = {}
        self.late, self.taken = set(LATE), dict(TAKEN)
        self.told: dict[str, Callable[[], None]] = {}

    def find_spec(
        self, fullname: str, path: Iterable[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        above = fullname.rpartition(".")[0]
        whole = None if above in APART else self._loaders.get(above)
        if whole is not None and fullname not in self.late:
            whole.load()
            part = sys.modules.get(fullname)
            return None if part is None else ModuleSpec(fullname, cast("Loader", _Loaded(part)))
        known = fullname in self.late or fullname in LOOK_FOR_PANDAS or fullname in self.told
        spec = PathFinder.find_spec(fullname, None if path is None else [*path], target) if known else None
        if spec is None or spec.loader is None:
            return None
        if fullname in LOOK_FOR_PANDAS:
            spec.loader = cast("Loader", _WithoutPandas(spec, spec.loader))
        elif fullname in self.told:
            spec.loader = cast("Loader", _Announced(spec, spec.loader, self.told[fullname]))
        else:
            late = self._loaders[fullname] = _LateLoader(spec, spec.loader, whole)
            spec.loader = cast("Loader", late)
        return spec


_FINDER = _LateFinder()


def install() -> None:
    """Have the modules of `LATE` that nobody has imported yet loaded late."""
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, cast(Any, _FINDER))


def when_loaded(name: str, told: Callable[[], None]) -> None:
    """Have ``told`` called when a module has been loaded, by whomever; at once, if it is there."""
    if name in sys.modules:
        told()
    else:
        _FINDER.told[name] = told


def in_program() -> None:
    """Leave out more, in a process that runs nobody else's code, has no frames and is asked for no help on packages.

    PyArrow would load pandas at its first list; packages make docstrings when they are imported.
    """
    sys.meta_path.insert(0, _NoPandas())
    _FINDER.late.update(PROGRAM_LATE)
    _FINDER.taken.update(PROGRAM_TAKEN)
    for name, stand_ins in _DOCS.items():
        when_loaded(name, partial(_put, name, stand_ins))


class _ClassOf(type):
    """The type of what stands for a class of another package, which need not be loaded to be asked."""

    place: tuple[str, str]

    def _real(cls) -> type | None:
        module, name = cls.place
        return None if module not in sys.modules else vars(sys.modules[module]).get(name)

    def __instancecheck__(cls, value: object) -> bool:
        real = cls._real()
        return real is not None and isinstance(value, real)

    def __subclasscheck__(cls, other: type) -> bool:
        real = cls._real()
        return cls in other.__mro__ or (real is not None and issubclass(other, real))


def class_of(module: str, name: str) -> type:
    """What stands for a class in annotations and in `isinstance`: before its package is loaded, nothing is one."""
    return _ClassOf(name, (), {"place": (module, name)})


class _Unread(dict[str, list[str]]):
    """The sections of a docstring that nobody reads: all are empty."""

    def __init__(self, text: str, *more: object, **options: object) -> None:
        super().__init__()

    def __missing__(self, section: str) -> list[str]:
        return []


_DOCS: dict[str, dict[str, Any]] = {
    "matplotlib.artist": {"kwdoc": lambda artist: ""},
    "matplotlib.rcsetup": {"parse_fontconfig_pattern": str},
    "pyarrow.vendored.docscrape": {"NumpyDocString": _Unread},
    "scipy._lib._array_api": {"xp_capabilities": lambda **known: lambda function: function},
}
"""What packages make their own docstrings with when they are imported, or check their own settings."""


def _put(name: str, stand_ins: dict[str, Any]) -> None:
    vars(sys.modules[name]).update(stand_ins)
