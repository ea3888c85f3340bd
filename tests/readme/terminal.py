#!/usr/bin/env python3
"""Draws the terminal in the README: runs the command on the guide's example config and writes its output as terminal.svg.
   python3 tests/readme/terminal.py        needs target/release/fernseal (cargo build --release -p fernseal)
All output is real. Long lines are cut. The run leaves no files."""
import html
import os
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BINARY = HERE.parents[1] / "target/release"
CONFIG = """{
  "auth": {
    "user": "root@pam",
    "token_name": "my-token",
    "token_value": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
  }
}
"""
COMMANDS = [
    "fernseal -q keygen -o ~/.proxmox_mcp_key",
    "fernseal -q etc/config.json",
    "grep token_value etc/config.encrypted.json",
    "fernseal get etc/config.encrypted.json auth.token_value",
    "fernseal -q rotate etc/",
]
WIDTH = 104
LINE, CHAR, MARGIN, BAR = 19, 8.0, 18, 34
PROMPT, TYPED, SAID = "#7ee787", "#ffffff", "#c9d1d9"


def transcript():
    """Yields the commands and their output, as (line, is_command)."""
    with tempfile.TemporaryDirectory() as home:
        os.mkdir(f"{home}/etc", 0o700)
        pathlib.Path(home, "etc/config.json").write_text(CONFIG)
        os.chmod(f"{home}/etc/config.json", 0o600)
        script = "\n".join(f"printf '\\0%s\\n' '{command}'; {command}" for command in COMMANDS)
        env = {"HOME": home, "PATH": f"{BINARY}:/usr/bin:/bin", "LANG": "C.UTF-8"}
        said = subprocess.run(["bash", "-ec", script], cwd=home, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
        for line in said.replace(home, "/root").rstrip("\n").split("\n"):
            is_command = line.startswith("\0")
            text = line.lstrip("\0")
            yield (text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"), is_command


def draw(lines):
    height = BAR + MARGIN + LINE * len(lines) + MARGIN // 2
    width = int(WIDTH * CHAR + 2 * MARGIN + 2 * CHAR)
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
           'font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="13">')
    yield "<title>Encrypting a config, reading a secret and rotating the key</title>"
    yield f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>'
    for at, colour in enumerate(("#ff5f56", "#ffbd2e", "#27c93f")):
        yield f'<circle cx="{20 + 20 * at}" cy="18" r="6" fill="{colour}"/>'
    for at, (text, is_command) in enumerate(lines):
        y = BAR + MARGIN + LINE * at
        if is_command:
            yield (f'<text x="{MARGIN}" y="{y}" xml:space="preserve" fill="{TYPED}">'
                   f'<tspan fill="{PROMPT}">$ </tspan>{html.escape(text)}</text>')
        else:
            yield f'<text x="{MARGIN}" y="{y}" xml:space="preserve" fill="{SAID}">{html.escape(text)}</text>'
    yield "</svg>"


if __name__ == "__main__":
    (HERE / "terminal.svg").write_text("\n".join(draw(list(transcript()))) + "\n")
