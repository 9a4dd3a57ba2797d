import shutil
from collections.abc import Iterator

import pytest
from tests.docker.buildah import Buildah, why_not
from tests.docker.images import Images, build_both


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    """Both images, built from this checkout; gone when the tests are over, since they are large."""
    if reason := why_not():
        pytest.skip(reason)
    missing = [tool for tool in ("buildah", "mmdebstrap") if shutil.which(tool) is None]
    assert not missing, f"{' and '.join(missing)} must be installed: run `make setup-system`"
    buildah = Buildah(tmp_path_factory.mktemp("buildah"))
    try:
        yield build_both(buildah)
    finally:
        buildah.destroy()
