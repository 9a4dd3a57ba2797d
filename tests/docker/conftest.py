import shutil
from collections.abc import Iterator

import pytest
from tests.docker.buildah import Buildah, why_not
from tests.docker.images import Images, build_both
from tests.docker.stores import cache, opened


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    """Both images, built from this checkout."""
    if reason := why_not():
        pytest.skip(reason)
    missing = [tool for tool in ("buildah", "mmdebstrap") if shutil.which(tool) is None]
    assert not missing, f"{' and '.join(missing)} must be installed: run `make setup-system`"
    folder = tmp_path_factory.mktemp("buildah")
    with opened(folder, cache()) as store:
        buildah = Buildah(store, folder)
        try:
            yield build_both(buildah)
        finally:
            buildah.end()
