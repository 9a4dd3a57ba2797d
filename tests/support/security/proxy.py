"""nginx as orthanc-config/nginx.conf.example sets it up, on other ports and with other certificates."""

import shutil
from pathlib import Path

from tests.support.security.authority import Authority

from nullsplat.node.configuration import configuration_folder
from nullsplat.node.processes import Child, start, wait_until_listening

AROUND = """
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/start.log;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/nullsplat.conf;
}}
"""


def why_no_nginx() -> str:
    """Why it cannot be started, empty when it can."""
    return (
        ""
        if shutil.which("nginx")
        else "nginx is needed: make setup-system (Debian: apt-get install nginx-light)"
    )


def start_nginx(folder: Path, authority: Authority, port: int, orthanc_port: int) -> Child:
    """Start it and wait until it listens."""
    folder.mkdir()
    text = (configuration_folder() / "nginx.conf.example").read_text()
    for shipped, ours in (
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("/etc/nullsplat/tls", str(authority.folder)),
        ("http://127.0.0.1:8042", f"http://127.0.0.1:{orthanc_port}"),
        ("/var/log/nginx", str(folder)),
    ):
        assert shipped in text
        text = text.replace(shipped, ours)
    (folder / "nullsplat.conf").write_text(text)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
    command = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
    child = start("nginx", command, {}, folder / "nginx.log")
    wait_until_listening(child, port)
    return child
