"""GitHub's packages API as its documentation writes it, before the storage of a real registry. GitHub was not asked.

Source of the shapes: GitHub, "REST API endpoints for packages" (2022-11-28): the examples of "List package versions for
a package owned by an organization", "Get a package version", "Delete package version", and of "Get a user".
"""

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.support.servers import PASSWORD, Registry, Reply, Request, Stub

_PATH = re.compile(r"/(orgs|users)/([^/]+)/packages/container/([^/]+)/versions(?:/([0-9]+))?")
_NOT_FOUND = {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}


class PackagesApi(Stub):
    """The versions of all packages of a registry: digests, with the tags that name them.

    `kind` is what every owner is; `changed` is when all versions were made, and `late` when some were.
    """

    def __init__(self, registry: Registry) -> None:
        super().__init__(self._reply)
        self._root = registry.log.parent / "data/docker/registry/v2/repositories"
        self.kind = "Organization"
        self.changed = datetime(2026, 1, 1, tzinfo=UTC)
        self.late: dict[str, datetime] = {}  # by digest
        self.hidden: set[str] = set()  # digests that the list lacks
        self.popular: set[str] = set()  # digests with too many downloads
        self.deleted: list[str] = []

    def _reply(self, request: Request) -> Reply:
        path = urlsplit(request.path).path
        if request.headers.get("authorization") != f"Bearer {PASSWORD}":
            return _json(401, {"message": "Bad credentials", "status": "401"})
        if found := re.fullmatch(r"/users/([^/]+)", path):
            return _json(200, {"login": found[1], "id": 1, "type": self.kind})
        found = _PATH.fullmatch(path)
        if not found or found[1] != ("orgs" if self.kind == "Organization" else "users"):
            return _json(404, _NOT_FOUND)
        name = f"{found[2]}/{unquote(found[3])}"
        versions = self._versions(name)
        if not found[4]:
            size, page = int(request.query["per_page"][0]), int(request.query["page"][0])
            return _json(200, versions[(page - 1) * size : page * size]) if versions else _json(404, _NOT_FOUND)
        version = next((each for each in versions if each["id"] == int(found[4])), None)
        if version is None:
            return _json(404, _NOT_FOUND)
        return self._delete(name, str(version["name"])) if request.method == "DELETE" else _json(200, version)

    def _versions(self, name: str) -> list[dict[str, object]]:
        folder = self._root / name / "_manifests"
        tags: dict[str, list[str]] = {}
        for link in sorted(folder.glob("tags/*/current/link")):
            tags.setdefault(link.read_text(), []).append(link.parts[-3])
        found = sorted(f"sha256:{link.parts[-2]}" for link in folder.glob("revisions/sha256/*/link"))
        return [self._version(name, digest, tags.get(digest, [])) for digest in found if digest not in self.hidden]

    def _version(self, name: str, digest: str, tags: list[str]) -> dict[str, object]:
        owner, _, package = name.partition("/")
        number = int(digest[7:17], 16)
        address = f"https://api.github.com/orgs/{owner}/packages/container/{package}/versions/{number}"
        time = f"{self.late.get(digest, self.changed):%Y-%m-%dT%H:%M:%SZ}"
        return {
            "id": number,
            "name": digest,
            "url": address,
            "package_html_url": f"https://github.com/orgs/{owner}/packages/container/package/{package}",
            "created_at": time,
            "updated_at": time,
            "html_url": f"https://github.com/orgs/{owner}/packages/container/{package}/{number}",
            "metadata": {"package_type": "container", "container": {"tags": tags}},
        }

    def _delete(self, name: str, digest: str) -> Reply:
        if digest in self.popular:
            text = "Publicly visible package versions with more than 5000 downloads cannot be deleted."
            return _json(400, {"message": text, "status": "400"})
        folder: Path = self._root / name / "_manifests"
        for link in list(folder.glob("tags/*/current/link")):
            if link.read_text() == digest:
                shutil.rmtree(link.parents[1])
        shutil.rmtree(folder / "revisions/sha256" / digest.removeprefix("sha256:"))
        self.deleted.append(digest)
        return Reply(status=204)


def _json(status: int, document: object) -> Reply:
    return Reply(status=status, headers={"Content-Type": "application/json"}, body=json.dumps(document).encode())
