"""Completion: the script knows exactly what the commands understand, and bash does with it what a person expects."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines.cli import COMMANDS, COULD_NOT, DONE, main
from pipelines.commands.completion import option_classes, options_of


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr("pipelines.commands.completion.say", said.append)
        assert main(["completion", "bash"]) == DONE
    path = tmp_path_factory.mktemp("completion") / "yaff.bash"
    path.write_text(said[0])
    return path


def offered(script: Path, *words: str) -> set[str]:
    """What bash offers for the last of these words."""
    program = f"source {script}; COMP_WORDS=(yaff {' '.join(repr(w) for w in words)}); "
    program += f'COMP_CWORD={len(words)}; _yaff; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_every_command_has_its_options() -> None:
    assert {command.split()[0] for command in option_classes()} == set(COMMANDS)


@pytest.mark.parametrize("command", option_classes())
def test_options_are_those_of_the_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    printed = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    # one option to a line of the help, its aliases beside it; "[default: ...]" and prose may name others
    understood = {
        word
        for line in re.findall(r"^[│ ]*(?:-h, )?(--\S.*)$", printed, re.MULTILINE)
        for word in re.findall(r"--[a-z][a-z.-]*[a-z]", line.split("  ")[0])
    }
    pairs = {word for word in understood if "no-" in word and word.replace("no-", "", 1) in understood}
    known = {option.name for option in options_of(*option_classes()[command]) if option.name}
    assert understood - pairs == known


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes(script: Path) -> None:
    assert {"build", "doctor", "--help"} <= offered(script, "")
    assert offered(script, "do") == {"doctor"}
    assert offered(script, "build", "") == {"demo", "ycb_video"}
    assert offered(script, "assets", "i") == {"install"}
    assert offered(script, "assets", "install", "--tr") == {"--trust-new"}
    assert offered(script, "project", "x", "--layout", "") == {"compact", "wrist", "full"}
    assert offered(script, "search", "--settings.physics.most-t") == {"--settings.physics.most-translation"}
    assert offered(script, "stats", "") == set(), "files, which the shell completes itself"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_theirs(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == DONE
    assert "trust-new" in capsys.readouterr().out


def test_an_unknown_shell() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["completion", "cmd"])
    assert caught.value.code == COULD_NOT
