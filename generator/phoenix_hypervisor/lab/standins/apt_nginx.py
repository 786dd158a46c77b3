"""What nginx's package brings: its files in /etc/nginx, in meaning as the distribution has them."""

import os

import model

MAIN = """\
user www-data;
worker_processes auto;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
include /etc/nginx/modules-enabled/*.conf;

events {
\tworker_connections 768;
}

http {
\tsendfile on;
\ttcp_nopush on;
\ttypes_hash_max_size 2048;
\tinclude /etc/nginx/mime.types;
\tdefault_type application/octet-stream;
\tssl_protocols TLSv1.2 TLSv1.3;
\taccess_log /var/log/nginx/access.log;
\tgzip on;
\tinclude /etc/nginx/conf.d/*.conf;
\tinclude /etc/nginx/sites-enabled/*;
}
"""
TYPES = """\
types {
    text/html html htm;
    text/css css;
    text/plain txt;
    application/javascript js;
    application/json json;
    image/png png;
    image/svg+xml svg;
}
"""
DEFAULT = """\
server {
\tlisten 80 default_server;
\tlisten [::]:80 default_server;
\troot /var/www/html;
\tindex index.html index.nginx-debian.html;
\tserver_name _;
\tlocation / {
\t\ttry_files $uri $uri/ =404;
\t}
}
"""
FILES = {"nginx.conf": MAIN, "mime.types": TYPES, "sites-available/default": DEFAULT}
FOLDERS = (
    "/etc/nginx/conf.d", "/etc/nginx/sites-enabled", "/etc/nginx/modules-enabled", "/etc/nginx/snippets",
    "/var/log/nginx", "/var/lib/nginx", "/var/www/html",
)  # fmt: skip
PAGE = "<!DOCTYPE html>\n<title>Welcome to nginx!</title>\n<h1>Welcome to nginx!</h1>\n"


def installed(first: bool) -> None:
    """Do what its scripts do: a site that somebody switched off stays off, but for the first time."""
    for folder in FOLDERS:
        os.makedirs(model.path(folder), exist_ok=True)
    for name, text in FILES.items():
        _write(f"/etc/nginx/{name}", text)
    _write("/var/www/html/index.nginx-debian.html", PAGE)
    enabled = model.path("/etc/nginx/sites-enabled/default")
    if first and not os.path.lexists(enabled):
        os.symlink("/etc/nginx/sites-available/default", enabled)


def _write(path: str, text: str) -> None:
    place = model.path(path)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if not os.path.exists(place):
        with open(place, "w", encoding="utf-8") as file:
            file.write(text)
