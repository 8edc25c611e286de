"""Who may import whom: the app's pages rest on the core, and inside it arrays know no models."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = sorted((ROOT / "esmc_core").rglob("*.py"))
PAGES = sorted((ROOT / "pages").glob("*.py"))
UI = sorted((ROOT / "pages" / "ui").rglob("*.py"))
HEAVY = {"torch", "transformers", "umap", "openai", "ray"}
FOUNDATION = ("errors", "config", "records", "distributions")
ARRAYS_ONLY = ("cluster", "projection", "metrics", "naming", "spelling", "palette", "target")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def names_of(path: Path) -> list[Path]:
    """The files of a part of the core: a module, or all of a package."""
    return [path.with_suffix(".py")] if path.with_suffix(".py").exists() else [*path.rglob("*.py")]


def imports(path: Path, *, eager: bool = False) -> Iterator[str]:
    """Every module that a file imports; types only do not count.

    Args:
        eager: only what is imported when the file itself is.
    """
    yield from _imports(ast.parse(path.read_text(encoding="utf-8")).body, path, eager)


def _imports(body: list[ast.stmt], path: Path, eager: bool) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(node.orelse, path, eager)
        elif not (eager and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))):
            for field in ("body", "orelse", "finalbody", "handlers"):
                yield from _imports(getattr(node, field, []), path, eager)


def is_in(module: str, packages: tuple[str, ...] | set[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def breaches(files: list[Path], forbidden: tuple[str, ...] | set[str], **options) -> list[str]:
    return [
        f"{module_name(path)} imports {module}"
        for path in files
        for module in imports(path, **options)
        if is_in(module, forbidden)
    ]


def test_the_reader_of_imports_sees_them(tmp_path):
    """The tests below would pass on a reader that finds nothing."""
    source = tmp_path / "source.py"
    source.write_text(
        "import torch.nn as nn\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import pandas\n"
        "try:\n    import umap\nexcept ImportError:\n    import fallback\n"
        "class A:\n    import inside\n    def f(self):\n        from a.b import c\n"
        "def g():\n    with x:\n        import late\n"
    )
    eager = {"torch.nn", "typing", "typing.TYPE_CHECKING", "umap", "fallback", "inside"}
    assert set(imports(source, eager=True)) == eager
    assert set(imports(source)) == eager | {"a.b", "a.b.c", "late"}
    assert is_in("torch.nn", {"torch"}) and not is_in("torchvision", {"torch"})


def test_there_is_something_to_read():
    assert len(CORE) > 40 and len(PAGES) > 4 and len(UI) > 15


def test_the_core_knows_no_pages():
    assert breaches(CORE, ("streamlit", "pages", "app")) == []


def test_pages_do_not_import_one_another():
    pages = tuple(f"pages.{path.stem}" for path in PAGES if path.stem != "__init__")
    assert breaches([*PAGES, *UI], pages) == []


@pytest.mark.parametrize("name", FOUNDATION)
def test_the_foundation_rests_on_itself(name):
    path = ROOT / "esmc_core" / f"{name}.py"
    own = tuple(f"esmc_core.{other}" for other in FOUNDATION)
    outside = [m for m in imports(path) if is_in(m, ("esmc_core",)) and not is_in(m, own)]
    assert [module for module in outside if module != "esmc_core"] == []


@pytest.mark.parametrize("name", ARRAYS_ONLY)
def test_what_works_on_arrays_knows_no_models_and_no_pictures(name):
    files = names_of(ROOT / "esmc_core" / name)
    others = ("models", "images", "workspace", "extract", "commands", "jobs")
    assert files
    assert breaches(files, tuple(f"esmc_core.{other}" for other in others)) == []


def test_pictures_and_models_know_nothing_above_them():
    files = [*names_of(ROOT / "esmc_core" / "images"), *names_of(ROOT / "esmc_core" / "models")]
    above = ("lens_store", "extract", "target", "cluster", "naming", "projection", "workspace")
    above += ("commands", "plots", "export", "jobs")
    assert breaches(files, tuple(f"esmc_core.{other}" for other in above)) == []
    images = names_of(ROOT / "esmc_core" / "images")
    assert breaches(images, ("esmc_core.models", *HEAVY)) == []


def test_only_the_training_knows_the_training():
    files = [path for path in CORE if "train" not in path.relative_to(ROOT).parts]
    assert breaches([*files, *PAGES, *UI], ("esmc_core.train",)) == []


def test_pages_import_nothing_heavy_when_they_are_read():
    assert breaches([*PAGES, *UI, ROOT / "app.py"], HEAVY, eager=True) == []


def test_pages_do_no_maths_of_the_model():
    assert breaches([*PAGES, *UI], {"torch", "transformers", "sklearn"}) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import esmc_core",
        "import esmc_core.workspace, esmc_core.images, esmc_core.target, esmc_core.keywords",
        "from esmc_core.__main__ import make_parser; make_parser()",
    ],
)
def test_no_torch_before_it_is_needed(statement):
    script = f"import sys; {statement}; print(*sorted(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert HEAVY & set(ran.stdout.split()) == set()
    assert "esmc_core" in ran.stdout.split()


def test_no_circles():
    """In the core no module needs, to be read, one that needs it to be read."""
    modules = {module_name(path): path for path in CORE}
    needs = {
        name: {found for found in imports(path, eager=True) if found in modules and found != name}
        for name, path in modules.items()
    }
    for name in [name for name, path in modules.items() if path.name == "__init__.py"]:
        del needs[name]  # a package gathers its own modules
    done: set[str] = set()
    while len(done) < len(needs):
        ready = {name for name in needs if name not in done and needs[name] & set(needs) <= done}
        assert ready, f"they go round: {sorted(set(needs) - done)}"
        done |= ready
