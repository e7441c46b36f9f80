"""What is public below marketplace says what it is for."""

from __future__ import annotations

import ast

from tests.architecture.tree import FLOORS, called, listed, parsed, python


def test_every_module_function_and_class_below_marketplace_has_a_docstring() -> None:
    mute = []
    for path in python(*FLOORS[:-1]):
        module = parsed(path)
        if module.body and not ast.get_docstring(module):
            mute.append(f"{called(path)}: the module")
        mute += [
            f"{called(path)}:{node.lineno} {node.name}"
            for node in module.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
            and not (node.name.endswith("Admin") and "admin" in called(path))  # named for its model: nothing to add
        ]

    assert not mute, listed(mute)


def test_every_public_method_of_a_pure_core_has_a_docstring() -> None:
    cores = python("qualification/inference", "tasks/routing", "tasks/labels", "tasks/formats")
    mute = [
        f"{called(path)}:{node.lineno} {kind.name}.{node.name}"
        for path in cores
        for kind in parsed(path).body
        if isinstance(kind, ast.ClassDef) and not kind.name.startswith("_")
        for node in kind.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]

    assert not mute, listed(mute)
