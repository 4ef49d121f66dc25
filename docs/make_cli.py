"""Writes docs/cli.md: what `--help` of every command prints.

    python3 docs/make_cli.py --unmelt target/release/unmelt
"""

import argparse
import os
import pathlib
import re
import subprocess

BEGIN = """# Command line

This page is made by `docs/make_cli.py` from the program's own help. Do not edit it.
"""


def help_of(unmelt, command):
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    run = subprocess.run([unmelt, *command, "--help"], check=True, capture_output=True, text=True, env=environment)
    return "\n".join(line.rstrip() for line in run.stdout.strip().splitlines())


def pages(unmelt, command):
    """The help of a command and of those under it."""
    text = help_of(unmelt, command)
    yield command, text
    if "Commands:" in text:
        for name in re.findall(r"^  ([a-z]+) ", text.split("Commands:")[1].split("Options:")[0], re.M):
            if name != "help":
                yield from pages(unmelt, [*command, name])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--unmelt", default="target/release/unmelt")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(__file__).with_name("cli.md"))
    options = parser.parse_args()
    parts = [BEGIN]
    for command, text in pages(options.unmelt, []):
        parts.append(f"## {' '.join(['unmelt', *command])}\n\n```text\n{text}\n```\n")
    options.output.write_text("\n".join(parts))


if __name__ == "__main__":
    main()
