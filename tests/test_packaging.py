"""The packaging holds together: what pyproject.toml says is what lies on disk."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("nodes", "edges", "observers")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TREES = ("braingraph", *FOLDERS, "tests", "examples", "benchmarks")


def _sources(folder: str) -> list[Path]:
    """Python files below a folder of the repository, links not followed."""
    found = (ROOT / folder).rglob("*.py")
    return sorted(p for p in found if not any(q.is_symlink() for q in p.parents))


SOURCES = [p.relative_to(ROOT).as_posix() for folder in TREES for p in _sources(folder)]
LIBRARY = [name for name in SOURCES if name.split("/")[0] in ("braingraph", *FOLDERS)]


def _imported(name: str) -> set[str]:
    """Absolute names of everything a file imports, at any depth."""
    out = set()
    for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno} imports relatively"
            out |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            out |= {alias.name for alias in node.names}
    return out


def test_the_package_list_is_what_is_on_disk() -> None:
    framework = {
        ".".join(p.parent.relative_to(ROOT).parts)
        for p in _sources("braingraph")
        if p.name == "__init__.py"
    }
    listed = PROJECT["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(framework | {f"braingraph.{f}" for f in FOLDERS})
    mapping = PROJECT["tool"]["setuptools"]["package-dir"]
    assert mapping == {f"braingraph.{folder}": folder for folder in FOLDERS}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_link_shows_each_folder_inside_the_package(folder: str) -> None:
    link = ROOT / "braingraph" / folder
    assert link.is_symlink() and link.readlink() == Path("..") / folder


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_three_folders_are_flat(folder: str) -> None:
    """A subfolder would be missing from wheels without a word."""
    inside = [p for p in (ROOT / folder).iterdir() if p.is_dir() and p.name != "__pycache__"]
    assert inside == []


@pytest.mark.parametrize("name", LIBRARY)
def test_every_library_module_has_one_name(name: str) -> None:
    """``nodes/hopf.py`` is ``braingraph.nodes.hopf``, from whatever place it is imported."""
    parts = list(Path(name).with_suffix("").parts)
    if parts[0] in FOLDERS:
        parts.insert(0, "braingraph")
    module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
    assert module.__file__ is not None
    assert Path(module.__file__).resolve() == ROOT / name


@pytest.mark.parametrize("name", SOURCES)
def test_imports_are_absolute_and_point_the_right_way(name: str) -> None:
    """The framework holds no model of a brain: only the public ``__init__`` names the folders."""
    imported = _imported(name)
    folders = {f"braingraph.{folder}" for folder in FOLDERS}
    used = {f for f in folders for i in imported if i == f or i.startswith(f"{f}.")}
    if name.startswith("braingraph/") and name != "braingraph/__init__.py":
        assert not used
    assert not {i for i in imported if i.split(".")[0] in FOLDERS}


@pytest.mark.parametrize("name", LIBRARY)
def test_the_library_leaves_the_configuration_of_jax_alone(name: str) -> None:
    source = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"config\.update\(|environ\[[^]]*\] *=", source)


@pytest.mark.parametrize("name", [s for s in SOURCES if s.startswith(("examples/", "benchmarks/"))])
def test_examples_and_benchmarks_compile(name: str) -> None:
    compile((ROOT / name).read_text(encoding="utf-8"), name, "exec")


def test_the_installed_version_is_the_one_in_the_tree() -> None:
    version = PROJECT["project"]["version"]
    assert importlib.metadata.version("braingraph-sim") == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_types_are_published() -> None:
    assert (ROOT / "braingraph" / "py.typed").is_file()
    assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"]["*"]


def test_the_documents_and_the_checks_name_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        told = set(re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / name).read_text(), re.MULTILINE))
        assert told and told <= targets, name


def test_the_licence_is_the_one_declared() -> None:
    text = (ROOT / PROJECT["project"]["license-files"][0]).read_text(encoding="utf-8")
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License" in text and "Version 2.0, January 2004" in text
