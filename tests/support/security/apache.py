"""Apache as orthanc-config/apache-oidc.conf.example sets it up, on other ports, with other certificates and a provider of the tests."""

import shutil
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

from tests.support.security.authority import Authority
from tests.support.security.oidc_provider import CLIENT_SECRET

from nullsplat.node.configuration import configuration_folder
from nullsplat.node.processes import Child, start, wait_until_listening

MODULES = Path("/usr/lib/apache2/modules")
LOADED = (
    *(
        "mpm_event",
        "authn_core",
        "authz_core",
        "authz_user",
        "socache_shmcb",
        "headers",
        "proxy",
        "proxy_http",
    ),
    *("ssl", "auth_openidc"),
)
AROUND = """
{modules}
ServerRoot {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
User www-data
Group www-data
DefaultRuntimeDir {folder}
Listen 127.0.0.1:{port}
Include {folder}/nullsplat.conf
"""


def why_no_apache() -> str:
    """Why it cannot be started, empty when it can."""
    there = shutil.which("apache2") and (MODULES / "mod_auth_openidc.so").exists()
    return (
        "" if there else "Apache is needed: make setup-system (Debian: apache2, libapache2-mod-auth-openidc)"
    )


def start_apache(
    folder: Path, authority: Authority, port: int, orthanc_port: int, provider: str, users: Mapping[str, str]
) -> Child:
    """Start it and wait until it listens.

    Args:
        provider: URL of the OpenID Connect provider.
        users: `user:password` of Orthanc's users by what the example calls them.
    """
    folder.mkdir()
    text = (configuration_folder() / "apache-oidc.conf.example").read_text()
    for shipped, ours in (
        ("<VirtualHost *:443>", f"<VirtualHost 127.0.0.1:{port}>"),
        ("ServerName orthanc.hospital.example", "ServerName 127.0.0.1"),
        ("https://orthanc.hospital.example/oidc", f"https://127.0.0.1:{port}/oidc"),
        ("https://login.hospital.example", provider),
        ("/etc/nullsplat/tls", str(authority.folder)),
        ("/etc/nullsplat", str(folder)),
        ("http://127.0.0.1:8042", f"http://127.0.0.1:{orthanc_port}"),
        ("/var/log/apache2", str(folder)),
    ):
        assert shipped in text
        text = text.replace(shipped, ours)
    (folder / "nullsplat.conf").write_text(text)
    defined = {"NullSplatClientSecret": CLIENT_SECRET, "NullSplatPassphrase": "a-passphrase-of-the-tests"}
    defined |= {name: b64encode(words.encode()).decode() for name, words in users.items()}
    lines = [f"Define {name} {value}\n" for name, value in defined.items()]
    (folder / "oidc.conf").write_text("".join(lines))
    modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED)
    (folder / "apache.conf").write_text(AROUND.format(folder=folder, port=port, modules=modules))
    command = ["apache2", "-X", "-f", str(folder / "apache.conf")]
    child = start("apache", command, {}, folder / "apache.log")
    wait_until_listening(child, port)
    return child
