"""The secrets of an embedded installation: made once, kept in a file that only its owner may read."""

import json
import os
import secrets
from pathlib import Path

FILE = "secrets.json"
NAMES = ("SECRET_KEY", "PUBLIC_ID_KEY", "PII_KEY")


def load_secrets(home: Path) -> dict[str, str]:
    """The secrets of this home by name, generated on the first call.

    Two processes may be first at once: each writes a complete file of its own, and the one whose
    link succeeds decides for both.
    """
    path = home / FILE
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        _write_once(path, {name: secrets.token_urlsafe(48) for name in NAMES})
    found = dict(json.loads(path.read_text()))
    missing = [name for name in NAMES if name not in found]
    if missing:  # a home made by an older version: what it has is kept
        more = path.with_name(f"more-{FILE}")
        if not more.exists():
            _write_once(more, {name: secrets.token_urlsafe(48) for name in missing})
        found = {**json.loads(more.read_text()), **found}
    return found


def _write_once(path: Path, content: dict[str, str]) -> None:
    half = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=1)
    try:
        os.link(half, path)
    except FileExistsError:
        pass
    finally:
        half.unlink()
