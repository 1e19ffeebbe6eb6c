"""Files that a test and the transfer workers of the system under test both see."""

from dataclasses import dataclass
from pathlib import Path

from actors import Person

SITES = "/site/api/v1.0"


@dataclass(frozen=True)
class Share:
    """A directory by both of its names: `here` for the test, `there` for the transfer workers."""

    here: Path
    there: str

    def site(self, person: Person, directory: str) -> "Site":
        """Make a directory below the share, which everybody may write in, and a site of it for `person`."""
        path = self.here / directory
        for made in (path.parent, path):
            if not made.exists():
                made.mkdir(parents=True)
                made.chmod(0o777)
        name = directory.replace("/", " ")
        answer = person.post(f"{SITES}/site", {"site_name": name, "endpoints": [f"file://{self.there}/{directory}"]})
        assert answer.status_code == 200, answer.text
        return Site(int(answer.json()), path)


@dataclass(frozen=True)
class Site:
    """A site of the workqueue: its id, and where its files lie for this test."""

    id: int
    path: Path
