"""Which account PostgreSQL runs as, and whether that account can reach a folder.

PostgreSQL refuses to run as root. Where we are root it runs as ``postgres`` (or ``nobody``), and
that account often cannot enter root's home. The folder is then placed elsewhere: opening a parent
directory to the world for the sake of a database would expose everything else in it.
"""

import hashlib
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

SHELTER = Path("/var/lib/touchstone")


class SubprocessIdentity(TypedDict, total=False):
    """The keyword arguments of ``subprocess.run`` that change who the child is."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """Who the server runs as; ``changed`` says that this is not who we are."""

    uid: int
    gid: int
    changed: bool

    def identity(self) -> SubprocessIdentity:
        """Arguments that make a child process run as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.changed else {}

    def can_traverse(self, path: Path) -> bool:
        """Whether this account may enter ``path`` and every folder above it."""
        if not self.changed:
            return True
        facts = [folder.stat() for folder in (path, *path.parents) if folder.exists()]
        return all(fact.st_mode & (stat.S_IXUSR if fact.st_uid == self.uid else stat.S_IXOTH) for fact in facts)

    def own_folder(self, path: Path) -> None:
        """Create ``path`` if missing, give it to this account and close it to everybody else.

        Raises PermissionError when something else already stands there (in a shared folder such
        as ``/tmp`` another user may have put a link in our way).
        """
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        fact = path.lstat()
        if not stat.S_ISDIR(fact.st_mode) or fact.st_uid not in {self.uid, os.geteuid()}:
            raise PermissionError(f"{path} is not a folder of ours")
        if self.changed:
            os.chown(path, self.uid, self.gid)
        path.chmod(0o700)

    def own_file(self, path: Path) -> None:
        """Create the file ``path`` if missing, private to this account."""
        path.touch(mode=0o600)
        if self.changed:
            os.chown(path, self.uid, self.gid)


def server_account() -> Account:
    """The account the server runs as: ourselves, or a harmless one when we are root."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), changed=False)
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return Account(entry.pw_uid, entry.pw_gid, changed=True)


def short_name(path: Path) -> str:
    """A short, stable name for a path, for use where the path itself is too long or unreachable."""
    return hashlib.sha256(str(path).encode()).hexdigest()[:10]
