"""``yaff completion SHELL``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from tyro.conf import Positional

from pipelines.commands.parsing import parse, say
from yaff.resources import configurations

USAGE = """
yaff completion bash >> ~/.bash_completion
yaff completion zsh > ~/.yaff.zsh        # and in ~/.zshrc: source ~/.yaff.zsh
yaff completion fish > ~/.config/fish/completions/yaff.fish
"""

ELSEWHERE: dict[str, tuple[str, str]] = {
    "build": ("pipelines.config", "BuildConfig"),
    "assets install": ("pipelines.commands.assets", "Install"),
    "assets list": ("pipelines.commands.assets", "List"),
    "assets verify": ("pipelines.commands.assets", "Verify"),
    "objects show": ("pipelines.commands.objects", "Objects"),
    "objects add": ("pipelines.commands.own_objects", "Add"),
    "objects remove": ("pipelines.commands.own_objects", "Remove"),
}
"""Commands of two words, and those whose options are not a class of their own name in their module."""


def option_classes() -> dict[str, tuple[str, str]]:
    """Module and class of the options of each command; a test holds it against what each ``--help`` prints."""
    from pipelines.cli import COMMANDS

    first = {command.split()[0] for command in ELSEWHERE}
    plain = {name: (COMMANDS[name].module, name.capitalize()) for name in COMMANDS if name not in first}
    return plain | ELSEWHERE


@dataclass(frozen=True)
class Completion:
    """Print a script that completes yaff's commands, options and choices in your shell. File names complete as ever."""

    shell: Positional[Literal["bash", "zsh", "fish"]]
    """Yours."""


@dataclass(frozen=True)
class Option:
    """One word that a command understands, and what may follow it."""

    name: str
    """``--search.types``; empty for a positional argument."""
    choices: tuple[str, ...]


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = parse(Completion, arguments, "completion", usage=USAGE)
    known = {command: tuple(options_of(*where)) for command, where in option_classes().items()}
    known["build"] += (Option("", tuple(configurations())),)
    say(_fish(known) if options.shell == "fish" else _bash(known, zsh=options.shell == "zsh"))
    return 0


def options_of(module: str, name: str) -> Iterator[Option]:
    """The options of a command, those of nested sections included."""
    yield from _options(getattr(import_module(module), name), "")
    yield Option("--help", ())


def _options(cls: type[Any], prefix: str) -> Iterator[Option]:
    hints = get_type_hints(cls, include_extras=True)
    for entry in fields(cls):
        hint, name, aliases, positional = hints[entry.name], prefix + entry.name.replace("_", "-"), (), False
        if get_origin(hint) is Annotated:
            hint, *notes = get_args(hint)
            aliases = tuple(alias for note in notes for alias in getattr(note, "aliases", None) or ())
            if any(getattr(note, "name", None) == "" for note in notes):
                name = prefix.rstrip(".")  # a section whose keys stand among those of its parent
            positional = Positional[int].__metadata__[0] in notes  # type: ignore[attr-defined]
        if isinstance(hint, type) and is_dataclass(hint):
            yield from _options(hint, f"{name}." if name else "")
            continue
        if entry.default is True:  # such a flag can only be switched off
            name = ".".join((*name.split(".")[:-1], f"no-{name.split('.')[-1]}"))
        names = ("",) if positional else (f"--{name}", *aliases)
        yield from (Option(word, _choices(hint)) for word in names)


def _choices(hint: Any) -> tuple[str, ...]:
    """What a literal, an optional one, or a tuple of them may be."""
    if get_origin(hint) is Literal:
        return tuple(map(str, get_args(hint)))
    if get_origin(hint) in (Union, UnionType, tuple):
        return tuple(choice for part in get_args(hint) for choice in _choices(part))
    return ()


def _positional(options: tuple[Option, ...]) -> str:
    return " ".join(choice for option in options if not option.name for choice in option.choices)


def _first_words() -> dict[str, list[str]]:
    """The second words of the commands that have some."""
    second: dict[str, list[str]] = {}
    for command in option_classes():
        first, _, rest = command.partition(" ")
        second.setdefault(first, []).extend([rest] if rest else [])
    return second


def _bash(known: dict[str, tuple[Option, ...]], *, zsh: bool) -> str:
    first = _first_words()
    lines = ["autoload -U +X bashcompinit && bashcompinit"] if zsh else []
    lines += [
        "_yaff() {",
        '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"',
        '  local command="${COMP_WORDS[1]}" words=""',
        f'  if [ "$COMP_CWORD" = 1 ]; then words="{" ".join(first)} --help --version"; else',
        '  case "$command" in',
    ]
    several = [name for name, rest in first.items() if rest]
    lines += [f'    {"|".join(several)}) command="$command ${{COMP_WORDS[2]}}" ;;', "  esac"]
    lines += ['  case "$command,$before" in']
    for command, options in known.items():
        for option in options:
            if option.name and option.choices:
                lines.append(f'    "{command},{option.name}") words="{" ".join(option.choices)}" ;;')
    lines += ["  esac", '  if [ -z "$words" ]; then case "$command,$word" in']
    for command, options in known.items():
        lines.append(f'    "{command},"-*) words="{" ".join(option.name for option in options if option.name)}" ;;')
        if _positional(options):
            lines.append(f'    "{command},"*) words="{_positional(options)}" ;;')
    lines += [f'    "{name} "*) [ "$COMP_CWORD" = 2 ] && words="{" ".join(first[name])}" ;;' for name in several]
    lines += [
        "  esac; fi; fi",
        '  COMPREPLY=($(compgen -W "$words" -- "$word"))',
        "}",
        "complete -o default -F _yaff yaff",
    ]
    return "\n".join(lines)


def _fish(known: dict[str, tuple[Option, ...]]) -> str:
    from pipelines.cli import COMMANDS

    first = _first_words()
    lines = [f"complete -c yaff -n __fish_use_subcommand -a {name} -d '{COMMANDS[name].summary}'" for name in first]
    for name, rest in first.items():
        if rest:
            lines.append(f"complete -c yaff -n '__fish_seen_subcommand_from {name}' -a '{' '.join(rest)}'")
    for command, options in known.items():
        seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in command.split())
        for option in options:
            choices = f" -x -a '{' '.join(option.choices)}'" if option.choices else ""
            if option.name:
                lines.append(f"complete -c yaff -n '{seen}' -l {option.name[2:]}{choices}")
            elif choices and " " not in command:
                lines.append(f"complete -c yaff -n '{seen}'{choices.replace(' -x', '')}")
    return "\n".join(lines)
