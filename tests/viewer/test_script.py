"""scripts/viewer.py: what it takes, what it refuses, what it makes of it; without the network."""

import base64
import hashlib
import io
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

PAGE = (
    b'<html><script>window.PUBLIC_URL="/"</script><script src="/app-config.js"></script>'
    b'<script type="module" src="/init-service-worker.js"></script><script defer src="/app.bundle.1.js"></script></html>'
)
FILES = {
    "package/LICENSE": b"MIT",
    "package/package.json": b"{}",
    "package/dist/index.html": PAGE,
    "package/dist/app-config.js": b"window.config = 'theirs'",
    "package/dist/app.bundle.1.js": b'(() => { __webpack_require__.p = "/"; })();',
    "package/dist/app.bundle.css": b"@font-face{src:url(/a.woff2)}",
    "package/dist/0.wasm": b"\0asm",
    "package/dist/ort/ort.wasm": b"large",
    "package/dist/dicom-microscopy-viewer/x.js": b"large",
    "package/dist/sw.js": b"caches",
    "package/dist/app.js.map": b"map",
    "package/dist/../../evil.txt": b"out",
}


@pytest.fixture
def tarball(tmp_path: Path, script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of few files, which the script takes for the right one."""
    path = tmp_path / "package.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("package/dist/link.js")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    digest = hashlib.sha512(path.read_bytes()).digest()
    monkeypatch.setattr(script, "INTEGRITY", base64.b64encode(digest).decode())
    monkeypatch.setattr(script, "fetch", lambda scratch, environment: path)
    return path


def test_only_what_orthanc_is_to_serve_is_unpacked(tmp_path: Path, script: ModuleType, tarball: Path) -> None:
    folder = tmp_path / "cache" / "ohif"
    script.main(folder)
    there = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert there == ["0.wasm", "LICENSE", "app-config.js", "app.bundle.1.js", "app.bundle.css", "index.html",
                     "nullsplat-viewer.txt"]  # fmt: skip
    assert [path.name for path in folder.parent.iterdir()] == ["ohif"]
    assert not list(tmp_path.rglob("evil.txt"))


def test_every_address_leads_below_the_served_folder(
    tmp_path: Path, script: ModuleType, tarball: Path
) -> None:
    script.fit(tarball, tmp_path / "ohif")
    page = (tmp_path / "ohif" / "index.html").read_bytes()
    assert page == (
        b'<html><script src="/ohif-app/app-config.js"></script>'
        b'<script defer src="/ohif-app/app.bundle.1.js"></script></html>'
    )
    assert b"url(/ohif-app/a.woff2)" in (tmp_path / "ohif" / "app.bundle.css").read_bytes()
    assert b'.p = "/ohif-app/"' in (tmp_path / "ohif" / "app.bundle.1.js").read_bytes()
    assert "'/dicom-web'" in (tmp_path / "ohif" / "app-config.js").read_text()


def test_another_package_than_the_pinned_one_is_refused(
    tmp_path: Path, script: ModuleType, tarball: Path
) -> None:
    tarball.write_bytes(tarball.read_bytes() + b"\0")
    with pytest.raises(script.NotFetched, match="must have the SHA-512"):
        script.main(tmp_path / "ohif")
    assert not (tmp_path / "ohif").exists()


def test_it_is_fetched_once_and_again_when_something_changed(
    tmp_path: Path, script: ModuleType, tarball: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "ohif"
    script.main(folder)
    monkeypatch.setattr(script, "fetch", lambda scratch, environment: pytest.fail("fetched again"))
    script.main(folder)
    monkeypatch.setattr(script, "fetch", lambda scratch, environment: tarball)
    (folder / script.STAMP).write_text("made by an earlier version")
    (folder / "stale.js").write_text("")
    script.main(folder)
    assert not (folder / "stale.js").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, script: ModuleType, tarball: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(script.NotFetched, match="name an empty folder"):
        script.main(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").exists()


def test_the_registry_is_the_one_that_npm_would_use(tmp_path: Path, script: ModuleType) -> None:
    home = {"HOME": str(tmp_path)}
    assert script.registry(home) == "https://registry.npmjs.org/"
    (tmp_path / ".npmrc").write_text("fund=false\nregistry = https://npm.example/all\n")
    assert script.registry(home) == "https://npm.example/all/"
    assert (
        script.registry({**home, "npm_config_registry": "https://other.example"}) == "https://other.example/"
    )


@pytest.mark.parametrize("registry", ["http://npm.example/", "https://127.0.0.1:9/"])
def test_without_npm_a_registry_that_cannot_be_used_is_named(
    tmp_path: Path, script: ModuleType, monkeypatch: pytest.MonkeyPatch, registry: str
) -> None:
    monkeypatch.setattr(script.shutil, "which", lambda name: None)
    with pytest.raises(script.NotFetched, match=registry):
        script.fetch(tmp_path, {"npm_config_registry": registry})
