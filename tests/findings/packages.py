"""Downloads config files of published packages, as examples of files that contain no secret.

The packages come from PyPI, npm and Debian. Their JSON, YAML and TOML files are unpacked below
target/findings/packages; none of them is ever committed. A package that cannot be downloaded is reported and left out.
"""

import hashlib
import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "target/findings/packages"
ENDINGS = {".json", ".yaml", ".yml", ".toml"}
LARGEST = 1 << 20
# The maximum number of files from one package, so that no package dominates. They are chosen by the hashes of their
# names.
MOST = 150

PYPI = """
    homeassistant==2026.11.0 botocore==1.44.5 ansible==14.5.0 esphome==2026.10.0 cfn-lint==1.58.0 checkov==3.3.30
    localstack-core==2026.3.0 moto==5.2.5 jupyterlab==4.6.6 notebook==7.6.5 streamlit==1.67.0 prefect==3.9.1
    great-expectations==1.24.1 openapi-spec-validator==0.9.0 zha-quirks==2.3.0 sqlfluff==4.5.0 plotly==7.1.0
    transformers==5.23.0 poetry==2.5.1 mlflow==3.18.0 azure-cli-core==2.91.0 docker-compose==1.29.2 frictionless==5.21.0
    hatch==1.18.2 django-allauth==65.21.1 apache-superset==6.1.0 dagster-webserver==1.13.27 cookiecutter==2.7.1
    awscli==1.46.2 meltano==4.4.1 jupyter-server==2.21.1 molecule==26.10.0 ansible-core==2.21.5 zenml==0.98.0
""".split()
NPM = """
    typescript@5.9.3 renovate@44.121.2 @mdn/browser-compat-data@8.1.9 tm-grammars@1.32.22 tm-themes@1.12.12 eslint@10.15.0
    @octokit/openapi@23.0.2 @schematics/angular@22.2.7 serverless@4.43.0 n8n-nodes-base@2.41.2 node-red@5.0.7 ghost@6.65.0
    @strapi/admin@5.54.0 nx@24.0.6 firebase-tools@15.34.2 homebridge-config-ui-x@5.28.0 joplin@3.6.2 @directus/api@39.2.1
    prettier@3.10.1 snyk@1.1307.4 lerna@10.1.1 create-react-app@5.1.0 swagger-ui-dist@5.35.0 primelocale@2.5.0
    element-plus@2.14.8 markdownlint@0.42.1 @docusaurus/theme-translations@3.10.2 i18n-iso-countries@7.14.0
    emojibase-data@17.0.0 newman@6.2.2 postman-collection@5.3.1 @stoplight/spectral-rulesets@1.23.1 @redocly/cli@2.77.0
    @backstage/cli@0.36.6 @expo/cli@58.0.7 @nx/js@23.3.1 @medusajs/medusa@2.21.2 payload@3.90.2 flowise@3.1.4
    zigbee-herdsman-converters@26.112.0 tinymce-i18n@26.9.21 @ionic/angular@9.0.5
""".split()
DEBIAN = """
    ansible ansible-lint cloud-init prometheus prometheus-alertmanager crowdsec caddy docker-compose lxd buildbot
    debci syncthing puppetserver puppet-module-puppetlabs-mysql hiera-eyaml openstack-dashboard octavia-common netplan.io
    ruby-i18n golang-github-docker-docker-dev golang-github-prometheus-common-dev golang-github-hashicorp-hcl-v2-dev
    node-babel7 node-caniuse-lite node-undici eslint npm librust-serde-dev librust-tokio-dev librust-reqwest-dev
    librust-rustls-dev cargo-web rust-web-src mkdocs mkdocs-material python3-sphinx sphinx-common python3-botocore kodi-data
    freecad-common hugo gnome-shell cinnamon-common pandoc-data knot-resolver pdns-recursor dnsdist prosody ejabberd
    mailman3 librust-toml-edit-dev librust-cargo-dev golang-github-spf13-viper-dev golang-github-spf13-cobra-dev
    golang-gopkg-yaml.v3-dev jekyll rubocop
""".split()
CLIENTS = {
    "pypi": (PYPI, ["pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "--python-version", "3.14.9", "-d", "."]),
    "npm": (NPM, ["npm", "pack", "--silent", "--pack-destination", "."]),
    "debian": (DEBIAN, ["apt-get", "-q", "download"]),
}


def members(archive):
    """Yields the name and the content of each config file in an archive."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as whole:
            for info in whole.infolist():
                if Path(info.filename).suffix in ENDINGS and 0 < info.file_size <= LARGEST:
                    yield info.filename, whole.read(info)
        return
    if archive.suffix == ".deb":
        stream = io.BytesIO(subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], check=True, capture_output=True).stdout)
        whole = tarfile.open(fileobj=stream)
    else:
        whole = tarfile.open(archive)
    with whole:
        for info in whole:
            if info.isfile() and Path(info.name).suffix in ENDINGS and 0 < info.size <= LARGEST:
                yield info.name, whole.extractfile(info).read()


def unpack(archive, folder):
    """Writes the config files of an archive below `folder`, with a number in front of each name. Returns how many."""
    found = sorted(members(archive), key=lambda member: hashlib.sha256(member[0].encode()).digest())[:MOST]
    folder.mkdir(parents=True)
    for number, (name, content) in enumerate(sorted(found)):
        (folder / f"{number:03}-{name.replace('/', '!')[-150:]}").write_bytes(content)
    return len(found)


def fetch():
    """Downloads the packages that are missing, and returns the files of all packages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for registry, (packages, client) in CLIENTS.items():
        for package in packages:
            folder = FOLDER / registry / package.replace("/", "+")
            if folder.exists():
                continue
            here = FOLDER / "download"
            here.mkdir(exist_ok=True)
            done = subprocess.run([*client, package], cwd=here, capture_output=True, text=True)
            archives = list(here.iterdir())
            if done.returncode or len(archives) != 1:
                print(f"not to be had: {registry} {package}: {done.stderr.strip().splitlines()[-1:]}", flush=True)
            else:
                print(f"{registry} {package}: {unpack(archives[0], folder)} files", flush=True)
            for archive in archives:
                os.remove(archive)
    return sorted(path for path in FOLDER.glob("*/*/*") if path.is_file())


if __name__ == "__main__":
    print(len(fetch()), "files in", FOLDER)
