"""Nothing in the tree depends on the machine or the registry it was written on."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from tests.architecture.tree import ROOT, called, files, listed, text

SOMEBODYS_HOME = re.compile(r"(?<![\w.])/(?:home|Users)/\w+|(?<![\w./])/root/\w+|[A-Z]:\\Users\\")


def registries() -> set[str]:
    """The hosts that ``uv.lock`` takes packages from."""
    return {urlsplit(address).hostname or "" for address in re.findall(r'"(https?://[^"]+)"', text(ROOT / "uv.lock"))}


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    beside = ROOT.parent.iterdir() if len(ROOT.parent.parts) > 1 else []
    here = [str(folder) for folder in (ROOT, Path.home(), *beside) if len(folder.parts) > 2 and len(folder.name) > 3]
    found = []
    for path in files():
        words = text(path)
        named = [place for place in here if re.search(rf"{re.escape(place)}\b", words)]
        named += [match.group() for match in SOMEBODYS_HOME.finditer(words)]
        found += [f"{called(path)}: {name}" for name in named if path != Path(__file__).resolve()]

    assert not found, listed(found)


def test_no_file_but_the_lock_names_a_package_registry() -> None:
    hosts = registries() | {"pypi.org", "files.pythonhosted.org"}
    found = [f"{called(path)}: {host}" for path in files() for host in hosts if host and host in text(path)]
    allowed = {"uv.lock", called(Path(__file__).resolve())}

    assert [one for one in found if one.split(":")[0] not in allowed] == []


def test_the_lock_is_of_hashed_packages() -> None:
    packages = re.findall(
        r"^\[\[package\]\]\n(.*?)(?=^\[\[package|\Z)", text(ROOT / "uv.lock"), re.MULTILINE | re.DOTALL
    )
    unhashed = [body.splitlines()[0] for body in packages if "virtual = " not in body and "hash = " not in body]

    assert packages
    assert not unhashed, listed(unhashed)
